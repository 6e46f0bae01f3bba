"""A queue in front of SQLite's write lock: SQLite itself lets whoever retries fastest win, for seconds on end.

Only who has to wait enters; it is left as soon as the write lock is held, and bypassed after a second, because a
stopped process in it must not stop the others. POSIX locks: a forked child does not keep them.
"""

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

LONGEST_QUEUE = 1.0
SHORTEST_PAUSE = 0.0003
LONGEST_PAUSE = 0.0015


class Turnstile:
    """One process's place in the queue for a file's write lock."""

    def __init__(self, path: str) -> None:
        """`path` is a side file, opened nowhere else in this process: closing it anywhere would drop the lock."""
        self._path = path
        self._descriptor: int | None = None

    @contextmanager
    def queue(self) -> Generator[None]:
        """Stand in the queue, at most for a second; the block is left as soon as the lock behind it is held."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        held = try_until(self._enter, time.monotonic() + LONGEST_QUEUE)
        try:
            yield
        finally:
            if held:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _enter(self) -> bool:
        assert self._descriptor is not None
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def try_until(attempt: Callable[[], bool], deadline: float) -> bool:
    """Try again and again, at growing pauses of about a millisecond, until it works or the deadline has passed."""
    pause = SHORTEST_PAUSE
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return True
