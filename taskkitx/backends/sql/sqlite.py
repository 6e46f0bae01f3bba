"""The port on one SQLite file, shared by the processes of one machine. Each verb is one short transaction."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from taskkitx import clock as clocks
from taskkitx.backends.sql import cycle, puts, rows, sqlite_cycle
from taskkitx.backends.sql.backend import SqlBackend
from taskkitx.backends.sql.connections import PATIENCE, Connections
from taskkitx.backends.sql.joined import sqlite_connection
from taskkitx.backends.sql.sqlite_file import check_path, prepare
from taskkitx.backends.sql.sqlite_leases import lease_clock
from taskkitx.backends.sql.sqlite_session import SqliteSession
from taskkitx.backends.sql.store import Answer, Work
from taskkitx.clock import Clock
from taskkitx.outcome import Succeeded
from taskkitx.record import Put
from taskkitx.task import Task
from taskkitx.wakeup import LocalHints

LOG_ALARM = 1 << 26
"""Bytes of write-ahead log that only a reader who stays explains."""


class SqliteBackend(SqlBackend):
    """The port on `sqlite:///PATH`.

    Wall time is the machine's, which on SQLite is the store's: read while the write lock is held, except by the one
    statement that takes the lock itself.
    """

    dialect = "sqlite"

    def __init__(
        self,
        path: str,
        *,
        clock: Clock | None = None,
        enqueue_timeout: float = PATIENCE,
        force: bool = False,
    ) -> None:
        """`clock` is for tests; `force` accepts a network file system."""
        super().__init__(LocalHints(f"{path}-hints"))
        self.path = path
        self._clock = clock or clocks.now
        self._leases = lease_clock(clock)
        self._force = force
        self._connections = Connections(path, enqueue_timeout)
        self._prepared = False

    @property
    def url(self) -> str:
        # The keeper gets nothing but this: what the user forced, it must force, too.
        return f"sqlite:///{quote(self.path)}{'?force=1' if self._force else ''}"

    def now(self) -> float:
        return self._clock()

    def open(self) -> None:
        if not self._prepared:
            check_path(self.path, self._force)
            prepare(self._connections)
            self._prepared = True

    def close(self) -> None:
        self._prepared = False
        self.hints.close()
        self._connections.close()

    def _session(self, connection: sqlite3.Connection) -> SqliteSession:
        return SqliteSession(connection, self._clock(), self._leases.now)

    def write(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        self.open()
        return self._connections.transaction(
            lambda connection: work(self._session(connection)), durable=durable
        )

    def once(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        return self.write(work, durable=durable)

    def read(self, work: Work[Answer]) -> Answer:
        self.open()
        with self._connections.reading() as connection:
            return work(self._session(connection))

    def _put(self, tasks: Sequence[Task]) -> list[Put]:
        self.open()
        # A single plain task is a single statement, which needs no transaction around it.
        single = len(tasks) == 1 and rows.is_plain(tasks[0])
        run = self._connections.statement if single else self._connections.transaction
        return run(lambda writer: puts.put(self._session(writer), tasks), durable=True)

    def _joined(self, connection: Any) -> SqliteSession:
        return self._session(sqlite_connection(connection))

    def _hot(
        self, worker_id: str, outcomes: Sequence[Succeeded], wanted: Mapping[str, int], seq: int
    ) -> tuple[set[str], list[Task]]:
        self.open()

        def hot(connection: sqlite3.Connection) -> tuple[int, list[Task]]:
            now = self._clock()
            if wanted and sqlite_cycle.any_due(connection, wanted, now):
                sqlite_cycle.promote(connection, wanted, now)
            changed = sqlite_cycle.exchange(connection, worker_id, outcomes, wanted, seq, now)
            claims = sqlite_cycle.claimed(connection, worker_id, seq) if wanted else []
            return changed, claims

        changed, claims = self._connections.statement(hot)
        if changed - len(claims) == len(outcomes):
            return {outcome.task.id for outcome in outcomes}, claims
        tasks = [outcome.task for outcome in outcomes]
        return self.read(lambda s: cycle.finished_before(s, worker_id, tasks)), claims

    def expired_workers(self) -> list[str]:
        return self.read(self._leases.expired_workers)

    def persist(self) -> None:
        # A synced commit makes all commits before it durable: the log is one file.
        self.write(
            lambda session: session.change("UPDATE taskkitx_version SET version_num = version_num"),
            durable=True,
        )

    def purge(self, limit: int = 1000) -> int:
        purged = super().purge(limit)
        if purged:  # a bounded part of the file's free pages goes back to the file system
            self.write(lambda session: session.rows("PRAGMA incremental_vacuum(1000)"))
        if self._log_size() > LOG_ALARM:  # in vain as long as the reader is there that made it grow
            self._connections.statement(
                lambda writer: writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            )
        return purged

    def alarms(self) -> list[str]:
        size = self._log_size()
        if size <= LOG_ALARM:
            return []
        return [
            f"the write-ahead log {self.path}-wal has grown to {size >> 20} MB: some program keeps a transaction open "
            "on this file, and reading gets slower until it ends; it shrinks by itself then"
        ]

    def _log_size(self) -> int:
        """Bytes; never by opening it, which would drop this process's locks when it is closed."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return 0
