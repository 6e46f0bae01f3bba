"""The port on MySQL 8.0.1 or newer and MariaDB 10.6 or newer, through pymysql or mysqlclient."""

from collections.abc import Mapping, Sequence
from typing import Any

from taskkitx.backends.sql import mysql_cycle, mysql_errors, puts
from taskkitx.backends.sql.joined import driver_connection
from taskkitx.backends.sql.mysql_link import Link, MySqlDriver, in_transaction
from taskkitx.backends.sql.mysql_session import MySqlSession, data_size
from taskkitx.backends.sql.mysql_snapshots import alarms, is_held
from taskkitx.backends.sql.mysql_text import CLOCK, Text
from taskkitx.backends.sql.mysql_url import MySqlUrl
from taskkitx.backends.sql.server_backend import PATIENCE, Exchange, ServerBackend
from taskkitx.backends.sql.session import first
from taskkitx.backends.sql.watermarks import Watermarks
from taskkitx.clock import Clock
from taskkitx.errors import ConfigurationError, StoreUnavailable
from taskkitx.outcome import Succeeded
from taskkitx.record import Lost, Put
from taskkitx.task import Task


class MySqlBackend(ServerBackend[Link]):
    """The port on `mysql://user:password@host/database`."""

    dialect = "mysql"
    clock_expression = CLOCK

    def __init__(
        self, url: str, *, clock: Clock | None = None, enqueue_timeout: float = PATIENCE
    ) -> None:
        """`clock` is for tests. Raises ConfigurationError for a URL that says what cannot be."""
        address = MySqlUrl.parse(url)
        self._driver = MySqlDriver(address)
        super().__init__(address, self._driver, clock, enqueue_timeout)
        self._text = Text(self.naming, clock)
        self._marks = Watermarks(is_held)

    # Opening

    def _why_never(self, cause: BaseException | None) -> ConfigurationError | None:
        return mysql_errors.why_never(cause, self._where)

    def _version(self) -> str | None:
        def read(link: Link, again: bool) -> str | None:
            try:
                found = first(self._session(link, again).rows(_VERSION))
            except self._driver.module.error as error:
                if mysql_errors.number(error) == mysql_errors.NO_TABLE:
                    return None
                raise
            return None if found is None else str(found)

        return self._pool.run(read)

    def migrate(self) -> None:
        """Make the tables, or bring them up to this version. Raises ConfigurationError without the right to.

        Each statement commits by itself: one that was interrupted is found undone, or done, by the next call.
        """
        from taskkitx.backends.sql.migrate import upgrade_server

        where = self._driver.where
        try:
            upgrade_server(
                f"mysql+{self._driver.module.name.lower()}",
                lambda: self._driver.connect_plainly(PATIENCE),
                self.naming,
                "SELECT GET_LOCK('taskkitx migrate', 60)",
            )
        except Exception as error:
            cause = error.__cause__ if error.__cause__ is not None else error
            if mysql_errors.number(cause) in mysql_errors.DENIED:
                raise ConfigurationError(
                    f"{where} needs tables that this user may not make ({mysql_errors.text(cause)}): "
                    "let somebody who may run `taskkitx migrate`, or apply what `taskkitx migrate --sql` prints"
                ) from None
            if isinstance(cause, self._driver.errors):
                raise self._driver.translated(cause) from error
            raise

    # Working

    def _session(self, connection: Link, again: bool) -> MySqlSession:
        return MySqlSession(connection, self._text, again=again)

    def _put(self, tasks: Sequence[Task]) -> list[Put]:
        self.open()

        def put(link: Link, again: bool) -> list[Put]:
            session = self._session(link, again)
            # What stands in nobody's way is one statement, which needs no transaction around it.
            free = (
                all(task.unique_key is None for task in tasks)
                and len(session.parts(tasks, data_size)) == 1
            )
            if free and not again and session.insert_all(tasks):
                return [Put(task.id, True) for task in tasks]
            with link.transaction():
                return puts.put(session, tasks)

        return self._pool.run(put, patient=True)

    def _joined(self, connection: Any) -> MySqlSession:
        module = self._driver.module
        driver = driver_connection(connection, module.connection, module.name)
        if driver.get_autocommit() and not in_transaction(driver):
            raise ConfigurationError(
                "connection is in autocommit mode and has no transaction that the task could be part of: "
                "call connection.begin() first, or turn autocommit off"
            )
        return MySqlSession(Link(module, driver), self._text, alone=True)

    def _exchange(
        self,
        connection: Link,
        worker_id: str,
        outcomes: Sequence[Succeeded],
        wanted: Mapping[str, int],
        seq: int,
    ) -> Exchange:
        session = self._session(connection, again=False)
        return mysql_cycle.exchange(session, worker_id, outcomes, wanted, seq, self._marks)

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        def take_back() -> int:
            return super(MySqlBackend, self).restore(
                worker_id, charged=charged, suspects=suspects, lost=lost, limit=limit
            )

        # The server goes on with what the dead one sent last, and what it claims by that appears after its death.
        return take_back() or (take_back() if self._owns_something_yet(worker_id) else 0)

    def _owns_something_yet(self, worker_id: str) -> bool:
        """Whether the worker owns tasks once its last transaction has ended; False, too, when that takes too long."""
        which = {"worker": worker_id}
        try:
            return bool(self.once(lambda session: session.rows(_OWNED_IN_THE_END, which)))
        except StoreUnavailable:
            return False  # then the sweep for dead workers finds them

    def alarms(self) -> list[str]:
        return self._pool.run(lambda link, again: alarms(self._session(link, again)))


_OWNED_IN_THE_END = (
    "SELECT id FROM taskkitx_task FORCE INDEX (taskkitx_task_owned) WHERE state = 5 AND worker_id = :worker "
    "LIMIT 1 FOR UPDATE"
)
"""Without SKIP LOCKED: it waits for whoever is changing such rows, uncommitted claims included."""
_VERSION = "SELECT version_num FROM taskkitx_version"
