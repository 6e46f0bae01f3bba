"""The port on PostgreSQL 13 or newer, through psycopg 3."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import psycopg

from taskkitx.backend import Subscription
from taskkitx.backends.sql import postgres_cycle, postgres_errors, puts
from taskkitx.backends.sql.joined import driver_connection
from taskkitx.backends.sql.postgres_driver import PostgresDriver, migrate
from taskkitx.backends.sql.postgres_listening import (
    DEBOUNCE,
    LISTENED,
    NotifyListener,
    channel_of,
)
from taskkitx.backends.sql.postgres_session import CLOCK, PgConnection, PostgresSession, Text
from taskkitx.backends.sql.postgres_snapshots import alarms, is_held
from taskkitx.backends.sql.postgres_url import PostgresUrl
from taskkitx.backends.sql.server_backend import PATIENCE, Exchange, ServerBackend
from taskkitx.backends.sql.session import first
from taskkitx.backends.sql.watermarks import Watermarks
from taskkitx.clock import Clock
from taskkitx.errors import ConfigurationError, StoreUnavailable
from taskkitx.outcome import Succeeded
from taskkitx.record import Put
from taskkitx.task import Task


class PostgresBackend(ServerBackend[PgConnection]):
    """The port on `postgresql://user:password@host/database`."""

    dialect = "postgresql"
    clock_expression = CLOCK

    def __init__(
        self, url: str, *, clock: Clock | None = None, enqueue_timeout: float = PATIENCE
    ) -> None:
        """`clock` is for tests. Raises ConfigurationError for a URL that says what cannot be."""
        self._address = PostgresUrl.parse(url)
        self._driver = PostgresDriver(self._address)
        super().__init__(self._address, self._driver, clock, enqueue_timeout)
        self._text = Text(self.naming, clock)
        self._channel = channel_of(self.naming)
        self._notified: dict[str, float] = {}
        self._marks = Watermarks(is_held)

    # Opening

    def connection_limits(self) -> tuple[int, int]:
        """How many connections a process may open, its listener's included, and how many the server allows in all."""
        allowed = first(
            self.read(lambda session: session.rows("SELECT current_setting('max_connections')"))
        )
        return self._address.pool + 1, int(allowed)

    def _why_never(self, cause: BaseException | None) -> ConfigurationError | None:
        return postgres_errors.why_never(cause, self._where)

    def _version(self) -> str | None:
        def read(connection: PgConnection, _: bool) -> str | None:
            table = self._address.naming.table("version")
            there = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
            if there is None or there[0] is None:
                return None
            query = f"SELECT version_num FROM {table}"
            row = connection.execute(query.encode()).fetchone()
            return None if row is None else str(row[0])

        return self._pool.run(read)

    def migrate(self) -> None:
        """Make the tables, or bring them up to this version. Raises ConfigurationError without the right to."""
        migrate(self._driver, self.naming)

    # Working

    def _session(self, connection: PgConnection, again: bool) -> PostgresSession:
        return PostgresSession(connection, self._text, again=again)

    def _put(self, tasks: Sequence[Task]) -> list[Put]:
        # One statement inserts them all; what comes before and after it may commit by itself.
        return self.once(lambda session: puts.put(session, tasks), durable=True)

    def _joined(self, connection: Any) -> PostgresSession:
        driver: PgConnection = driver_connection(connection, psycopg.Connection, "psycopg")
        if driver.autocommit and self._driver.is_idle(driver):
            raise ConfigurationError(
                "connection is in autocommit mode and has no transaction that the task could be part of: "
                "put the call inside `with connection.transaction():`"
            )
        return self._session(driver, again=False)

    def _exchange(
        self,
        connection: PgConnection,
        worker_id: str,
        outcomes: Sequence[Succeeded],
        wanted: Mapping[str, int],
        seq: int,
    ) -> Exchange:
        session = self._session(connection, again=False)
        return postgres_cycle.exchange(session, worker_id, outcomes, wanted, seq, self._marks)

    def alarms(self) -> list[str]:
        longest = self._address.alarm
        return self._pool.run(
            lambda connection, again: alarms(self._session(connection, again), longest)
        )

    # Hints

    def _tell_work(self, groups: Collection[str]) -> None:
        super()._tell_work(groups)
        now = time.monotonic()
        due = [group for group in groups if now - self._notified.get(group, 0.0) >= DEBOUNCE]
        if not due:
            return
        if len(self._notified) > LISTENED:
            self._notified.clear()
        self._notified.update(dict.fromkeys(due, now))
        try:
            self._pool.run(lambda connection, _: self._notify(connection, due))
        except StoreUnavailable:
            pass  # a lost hint costs a poll interval; what it told of is committed

    def _notify(self, connection: PgConnection, groups: Collection[str]) -> None:
        place = self.hints.place()
        connection.execute(
            "SELECT pg_notify(%s, told) FROM unnest(%s::text[]) AS told",
            [self._channel, [f"{place}:{group}" for group in groups]],
        )

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        answers = super().put(tasks, connection=connection)
        if connection is not None and tasks:
            # The server passes it on when the caller's transaction commits.
            driver = driver_connection(connection, psycopg.Connection, "psycopg")
            try:
                self._notify(driver, {task.group for task in tasks})
            except self._driver.errors as error:
                raise self._driver.translated(error) from error
        return answers

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        local = super().listen(on_work)
        dsn = self._address.listen_dsn
        if dsn is None:
            return local
        return NotifyListener(
            lambda: self._driver.connect_to(dsn, PATIENCE, limits={}),
            self._channel,
            self.hints.place,
            on_work,
            local,
        )
