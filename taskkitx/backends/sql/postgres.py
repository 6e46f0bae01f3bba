"""The port on PostgreSQL 13 or newer, through psycopg 3."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import psycopg

from taskkitx.backend import Subscription
from taskkitx.backends.sql import cycle, postgres_cycle, postgres_errors, puts, server_schema
from taskkitx.backends.sql.backend import SqlBackend
from taskkitx.backends.sql.foreseen import Foreseen
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
from taskkitx.backends.sql.server import Pool
from taskkitx.backends.sql.session import first
from taskkitx.backends.sql.store import Answer, Work
from taskkitx.backends.sql.watermarks import Watermarks
from taskkitx.clock import Clock
from taskkitx.errors import ConfigurationError, StoreError, StoreUnavailable
from taskkitx.outcome import Succeeded
from taskkitx.record import Put
from taskkitx.task import Task
from taskkitx.wakeup import LocalHints

PATIENCE = 5.0


class PostgresBackend(SqlBackend):
    """The port on `postgresql://user:password@host/database`."""

    dialect = "postgresql"
    event_poll = 5.0

    def __init__(
        self, url: str, *, clock: Clock | None = None, enqueue_timeout: float = PATIENCE
    ) -> None:
        """`clock` is for tests. Raises ConfigurationError for a URL that says what cannot be."""
        self._address = PostgresUrl.parse(url)
        self.naming = self._address.naming
        super().__init__(LocalHints(self._address.hints_directory))
        self._text = Text(self._address.naming, clock)
        self._driver = PostgresDriver(self._address)
        self._pool = Pool[PgConnection](self._driver, self._address.pool, enqueue_timeout)
        self._channel = channel_of(self._address.naming)
        self._notified: dict[str, float] = {}
        self._prepared = False
        self._foreseen: Foreseen | None = None
        self._marks = Watermarks(is_held)

    @property
    def url(self) -> str:
        return self._address.url

    def now(self) -> float:
        if self._text.clock is not None:
            return self._text.clock()
        return float(first(self.read(lambda session: session.rows(f"SELECT {CLOCK}"))))

    # Opening

    def open(self) -> None:
        if not self._prepared:
            self._first_use(
                lambda: server_schema.prepare(self._version, self.migrate, self._driver.where)
            )

    def open_existing(self) -> None:
        """As `open`, but nothing is created. Raises ConfigurationError when there are no tables."""
        self._first_use(lambda: server_schema.check(self._version(), self._driver.where))

    def connection_limits(self) -> tuple[int, int]:
        """How many connections a process may open, its listener's included, and how many the server allows in all."""
        allowed = first(
            self.read(lambda session: session.rows("SELECT current_setting('max_connections')"))
        )
        return self._address.pool + 1, int(allowed)

    def _first_use(self, look: Callable[[], None]) -> None:
        try:
            look()
        except StoreError as error:
            if never := postgres_errors.why_never(error.__cause__, self._driver.where):
                raise never from None
            raise
        self._prepared = True

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

    def close(self) -> None:
        self._prepared = False
        self.hints.close()
        self._pool.close()

    # Working

    def _session(self, connection: PgConnection, again: bool) -> PostgresSession:
        return PostgresSession(connection, self._text, again=again)

    def write(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        self.open()

        def transaction(connection: PgConnection, again: bool) -> Answer:
            with connection.transaction():
                return work(self._session(connection, again))

        return self._pool.run(transaction, patient=durable)

    def once(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        self.open()
        return self._pool.run(
            lambda connection, again: work(self._session(connection, again)), patient=durable
        )

    def read(self, work: Work[Answer]) -> Answer:
        return self.once(work)

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

    def _hot(
        self, worker_id: str, outcomes: Sequence[Succeeded], wanted: Mapping[str, int], seq: int
    ) -> tuple[set[str], list[Task]]:
        self.open()
        outcomes = sorted(outcomes, key=lambda outcome: outcome.task.id)

        def exchange(connection: PgConnection, again: bool) -> postgres_cycle.Exchange:
            session = self._session(connection, again)
            if again and (claims := cycle.claimed(session, worker_id, seq)):
                # It was done: only the reply was lost.
                return postgres_cycle.Exchange(-1, claims)
            return postgres_cycle.exchange(session, worker_id, outcomes, wanted, seq, self._marks)

        written, claims, due = self._pool.run(exchange)
        self._foreseen = Foreseen.now(wanted, due)
        if written == len(outcomes):
            return {outcome.task.id for outcome in outcomes}, claims
        tasks = [outcome.task for outcome in outcomes]
        return self.read(lambda s: cycle.finished_before(s, worker_id, tasks)), claims

    def next_due(self, groups: Collection[str]) -> float | None:
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and foreseen.answers(groups) and self._text.clock is None:
            return foreseen.due
        return super().next_due(groups)

    def persist(self) -> None:
        """Nothing to do: a commit that the server confirmed is on its disk, unless its owner decided otherwise."""

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
        if connection is None or not tasks:
            return super().put(tasks)
        try:
            answers = super().put(tasks, connection=connection)
            # The server passes it on when the caller's transaction commits.
            driver = driver_connection(connection, psycopg.Connection, "psycopg")
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
