"""Time limits of running attempts: when the next one is reached, and interrupting a thread from outside."""

import ctypes
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from taskkitx.errors import AttemptInterrupted
from taskkitx.worker.attempt import Current


@dataclass(order=True, slots=True)
class Limit:
    """Something to be done about an attempt at `at` (monotonic seconds), unless it is over by then."""

    at: float
    number: int
    hard: bool = field(compare=False)
    thread: int = field(compare=False)
    ident: int = field(compare=False)
    attempt: Current = field(compare=False)


class Limits:
    """The limits of all attempts that have one. Threads add, the claiming thread takes what is reached."""

    def __init__(self) -> None:
        """No limits yet."""
        self._added: list[Limit] = []
        self._heap: list[Limit] = []
        self._number = 0

    def add(self, at: float, attempt: Current, *, hard: bool, thread: int, ident: int) -> None:
        """Watch this attempt from now on. Called by the thread that runs it."""
        self._number += 1
        self._added.append(Limit(at, self._number, hard, thread, ident, attempt))

    def next_at(self) -> float | None:
        """When the next limit is reached, in monotonic seconds."""
        self._collect()
        while self._heap and self._heap[0].attempt.over:
            heapq.heappop(self._heap)
        return self._heap[0].at if self._heap else None

    def reached(self, now: float) -> Iterator[Limit]:
        """The limits reached at `now` by attempts that still run, each once."""
        self._collect()
        while self._heap and self._heap[0].at <= now:
            limit = heapq.heappop(self._heap)
            if not limit.attempt.over:
                yield limit

    def _collect(self) -> None:
        while self._added:
            heapq.heappush(self._heap, self._added.pop())


def interrupt(attempt: Current, ident: int, error: type[AttemptInterrupted]) -> bool:
    """Raise `error` inside the thread `ident`, if it still runs this attempt; seen at its next bytecode."""
    with attempt.lock:
        if attempt.over:
            return False
        attempt.interrupted = True
        threads: int = _set_async_exc(ctypes.c_ulong(ident), ctypes.py_object(error))
        return threads == 1


def close(attempt: Current, ident: int) -> None:
    """No interruption of this attempt reaches the thread from now on; one on its way is taken back.

    One that was delivered while this waited for the lock is raised here, hence inside the attempt.
    """
    with attempt.lock:
        attempt.over = True
        if attempt.interrupted:
            _set_async_exc(ctypes.c_ulong(ident), None)


def abandon(attempt: Current) -> bool:
    """Declare the attempt over although its handler goes on; False when it has just ended by itself."""
    with attempt.lock:
        if attempt.over:
            return False
        attempt.over = attempt.abandoned = True
        return True


_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
