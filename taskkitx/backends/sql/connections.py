"""A process's connections to one SQLite file: a writer for each durability, readers that never wait for writers.

The file is never opened or closed by anything but SQLite: closing any descriptor of it drops this process's locks.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from taskkitx.backends.sql.sqlite_errors import BAD_DATA, is_busy, translated
from taskkitx.backends.sql.turnstile import Turnstile, try_until
from taskkitx.errors import StoreUnavailable

Answer = TypeVar("Answer")

PATIENCE = 5.0
GAP = 0.001
"""Left free after a commit that others were waiting for."""
MOST_READERS = 4

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA wal_autocheckpoint=1000",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA mmap_size=0",
    "PRAGMA foreign_keys=OFF",
)


class Connections:
    """Opened lazily, in the process that uses them; `close` before a fork."""

    def __init__(self, path: str, patience: float = PATIENCE) -> None:
        """`patience`: seconds a write may wait for its turn before StoreUnavailable."""
        self.path = path
        self._patience = patience
        self._turnstile = Turnstile(f"{path}-turnstile")
        self._mutex = threading.RLock()
        self._writers: dict[str, sqlite3.Connection] = {}
        self._readers: list[sqlite3.Connection] = []
        self._pid: int | None = None
        self.contended = 0
        """How often the write lock was not free at once."""

    def open(self) -> sqlite3.Connection:
        """A new connection with our settings. Raises StoreUnavailable or StoreRefused."""
        self._check_process()
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=0.0,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            # Several processes may be making the same new file: SQLite's own busy handler is not asked while the
            # journal mode changes, so the waiting is ours.
            if not try_until(lambda: _try_configure(connection), time.monotonic() + self._patience):
                connection.close()
                raise StoreUnavailable(
                    f"the SQLite file {self.path} has been locked by another program for {self._patience} s"
                )
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        return connection

    def _check_process(self) -> None:
        pid = os.getpid()
        if self._pid is None:
            self._pid = pid
        elif self._pid != pid:
            raise RuntimeError(
                f"the SQLite file {self.path} was opened by process {self._pid} and is used in its forked child {pid}: "
                "close the backend before forking"
            )

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection for short reads; every cursor is read to its end before the block is left."""
        self._check_process()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self.open()
            connection.execute("PRAGMA query_only=ON")
            # Readers of a WAL wait only while another process recovers or truncates it.
            connection.execute(f"PRAGMA busy_timeout={int(self._patience * 1000)}")
        try:
            yield connection
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        finally:
            if len(self._readers) < MOST_READERS:
                self._readers.append(connection)
            else:
                connection.close()

    def statement(
        self, work: Callable[[sqlite3.Connection], Answer], *, durable: bool = False
    ) -> Answer:
        """Run `work`, whose statements commit by themselves; when others hold the lock, again from its start.

        Never a transaction around them: between two of its statements a thread can lose the interpreter to the
        application's threads for longer than anybody else wants to wait for the write lock.
        """
        with self._turn():
            connection = self._writer("FULL" if durable else "NORMAL")
            answers: list[Answer] = []
            if self._take_turn(lambda: self._try_statement(connection, work, answers)):
                time.sleep(GAP)
            return answers[0]

    def _try_statement(
        self,
        connection: sqlite3.Connection,
        work: Callable[[sqlite3.Connection], Answer],
        answers: list[Answer],
    ) -> bool:
        try:
            answers.append(work(connection))
        except BAD_DATA as error:
            if is_busy(error):
                return False
            raise translated(error, self.path) from error
        return True

    def transaction(
        self, work: Callable[[sqlite3.Connection], Answer], *, durable: bool = False
    ) -> Answer:
        """Run `work` in one BEGIN IMMEDIATE transaction; `durable`: on the disk before this returns."""
        with self._turn():
            return self._transaction(self._writer("FULL" if durable else "NORMAL"), work)

    def initialise(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Change the schema, durably and under the write lock."""
        with self._turn():
            connection = self._writer("FULL")
            self._transaction(connection, work)

    @contextmanager
    def _turn(self) -> Generator[None]:
        self._check_process()
        if not self._mutex.acquire(timeout=self._patience):
            raise StoreUnavailable(
                f"the SQLite file {self.path} is busy: other threads of this process have been writing for "
                f"{self._patience} s"
            )
        try:
            yield
        finally:
            self._mutex.release()

    def _writer(self, synchronous: str) -> sqlite3.Connection:
        writer = self._writers.get(synchronous)
        if writer is None:
            writer = self._writers[synchronous] = self.open()
            writer.execute(f"PRAGMA synchronous={synchronous}")
        return writer

    def _transaction(
        self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Answer]
    ) -> Answer:
        waited = self._take_turn(lambda: self._try_begin(connection))
        try:
            answer = work(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, BAD_DATA):
                raise translated(error, self.path) from error
            raise
        if waited:
            time.sleep(GAP)
        return answer

    def _take_turn(self, attempt: Callable[[], bool]) -> bool:
        """Do what needs the write lock, behind those who wait already; True when others held it."""
        if attempt():
            return False
        self.contended += 1
        with self._turnstile.queue():
            if not try_until(attempt, time.monotonic() + self._patience):
                raise StoreUnavailable(
                    f"the SQLite file {self.path} has been locked by another program for {self._patience} s"
                )
        return True

    def _try_begin(self, connection: sqlite3.Connection) -> bool:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if is_busy(error):
                return False
            raise translated(error, self.path) from error
        return True

    def close(self) -> None:
        """Close everything this process opened; the next use opens anew. In a forked child this only forgets."""
        with self._mutex:
            connections = [*self._writers.values(), *self._readers]
            self._writers, self._readers = {}, []
            if self._pid in (None, os.getpid()):
                for connection in connections:
                    connection.close()
                self._turnstile.close()
            self._pid = None


def _try_configure(connection: sqlite3.Connection) -> bool:
    """Set what a connection of ours needs; False when somebody holds the lock it takes."""
    try:
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # Only a file with nothing in it can still choose to give space back.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error as error:
        if is_busy(error):
            return False
        raise
    return True
