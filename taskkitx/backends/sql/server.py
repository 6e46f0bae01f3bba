"""A process's connections to one database server: few, opened lazily, replaced when they break.

A verb that meets a broken connection is run again on a new one: every verb may be repeated, and asks what became of a
write whose reply was lost. A verb a person waits for (`patient`) goes on trying for a bounded time.
"""

import os
import random
import time
from collections.abc import Callable
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from taskkitx.errors import StoreError, StoreUnavailable

Connection = TypeVar("Connection")
Answer = TypeVar("Answer")

POOL = 4
"""Connections of one process, beside the one that listens."""
MOST_CONFLICTS = 8
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0


class Trouble(Enum):
    """What an error of a driver asks for."""

    CONFLICT = auto()
    """Others were in the way (deadlock, serialization): the transaction is undone, run it again."""
    BROKEN = auto()
    """The connection is gone, or leads to a server that cannot write: whether it was committed is not known."""
    LATER = auto()
    """Nothing was written; the same may work later."""
    NEVER = auto()
    """Nothing was written, and never will be."""


class Driver(Protocol[Connection]):
    """How one driver connects, and what its errors mean."""

    errors: tuple[type[Exception], ...]
    where: str
    """The server, for people."""

    def connect(self, timeout: float) -> Connection:
        """A new connection, ready for statements."""
        ...

    def is_idle(self, connection: Connection) -> bool:
        """Whether the connection is open and outside any transaction."""
        ...

    def disconnect(self, connection: Connection) -> None:
        """Close it, whatever state it is in; never raises."""
        ...

    def trouble(self, error: Exception) -> Trouble:
        """What this error asks for."""
        ...

    def translated(self, error: Exception) -> StoreError:
        """The same fact as an error of ours, for people."""
        ...


class Pool(Generic[Connection]):
    """Connections for the threads of one process; `close` before a fork."""

    def __init__(self, driver: Driver[Connection], size: int, patience: float) -> None:
        """`patience`: seconds a patient verb may take, and any verb may wait for a free connection."""
        self.driver = driver
        self._patience = patience
        self._size = size
        self._free = _tokens(size)
        self._idle: list[Connection] = []
        self._pid: int | None = None

    def run(self, work: Callable[[Connection, bool], Answer], *, patient: bool = False) -> Answer:
        """Run `work(connection, again)` and run it again where that helps; `again` says that it may have been done.

        Raises StoreUnavailable or StoreRefused.
        """
        deadline = time.monotonic() + self._patience
        tries, broken = 0, 0
        while True:
            try:
                return self._try(work, broken > 0)
            except self.driver.errors as error:
                tries += 1
                trouble = self.driver.trouble(error)
                if trouble is Trouble.BROKEN:
                    broken += 1
                    self._drop_idle()
                if not self._once_more(trouble, tries, patient, deadline):
                    raise self.driver.translated(error) from error

    def _once_more(self, trouble: Trouble, tries: int, patient: bool, deadline: float) -> bool:
        """Whether to try again; pauses before that."""
        left = deadline - time.monotonic()
        if trouble is Trouble.NEVER or left <= 0:
            return False
        if trouble is Trouble.CONFLICT:
            pause = random.uniform(0.0, 0.005 * 2**tries) if tries > 1 else 0.0
            allowed = tries <= MOST_CONFLICTS
        elif tries == 1 and trouble is Trouble.BROKEN:
            # An idle connection may have been cut long ago: the next one is new.
            pause, allowed = 0.0, True
        else:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries, 10)) * random.uniform(0.5, 1.0)
            allowed = patient
        time.sleep(min(pause, left))
        return allowed

    def _try(self, work: Callable[[Connection, bool], Answer], again: bool) -> Answer:
        """Work on a connection of this thread's own; one that is left broken is not used again."""
        self._check_process()
        free = self._free
        try:
            free.get(timeout=self._patience)
        except Empty:
            raise StoreUnavailable(
                f"all {self._size} connections of this process to {self.driver.where} have been busy for "
                f"{self._patience} s"
            ) from None
        try:
            connection = self._take()
            try:
                return work(connection, again)
            finally:
                if self.driver.is_idle(connection) and free is self._free:
                    self._idle.append(connection)
                else:
                    self.driver.disconnect(connection)
        finally:
            free.put(None)

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.driver.connect(self._patience)

    def _drop_idle(self) -> None:
        """What broke one connection has mostly broken all."""
        while self._idle:
            self.driver.disconnect(self._idle.pop())

    def _check_process(self) -> None:
        pid = os.getpid()
        if self._pid is None:
            self._pid = pid
        elif self._pid != pid:
            raise RuntimeError(
                f"{self.driver.where} was opened by process {self._pid} and is used in its forked child {pid}: "
                "close the backend before forking"
            )

    def close(self) -> None:
        """Close what is idle; the next use opens anew. In a forked child this only forgets."""
        if self._pid in (None, os.getpid()):
            self._drop_idle()
        else:
            # Closing would tell the server that the parent's connections end.
            _of_another_process.append(self._idle)
            self._idle = []
        self._free = _tokens(self._size)
        self._pid = None


def _tokens(size: int) -> SimpleQueue[None]:
    """One for each connection that may be in use; many times faster than a semaphore."""
    tokens = SimpleQueue[None]()
    for _ in range(size):
        tokens.put(None)
    return tokens


_of_another_process: list[object] = []
