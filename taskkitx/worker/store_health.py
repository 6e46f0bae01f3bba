"""Whether the store answers a worker, and when to try again: at most about one probe a second while it does not."""

import random

from taskkitx import log
from taskkitx.errors import StoreUnavailable

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
MOST_UNFORESEEN = 8
"""Failures in a row after which an error that is not the store's absence is there to stay."""


class StoreHealth:
    """The circuit between one thread and the store."""

    def __init__(self, who: str) -> None:
        """`who` names the thread in log lines."""
        self._who = who
        self._failures = 0
        self.retry_at = 0.0
        """Monotonic seconds before which the store is left alone."""

    @property
    def up(self) -> bool:
        """Whether the last try was answered."""
        return self._failures == 0

    def may_try(self, now: float) -> bool:
        """Whether it is time to talk to the store."""
        return self.up or now >= self.retry_at

    def failed(self, error: Exception, now: float) -> None:
        """A try was not answered, or not as anybody foresaw: then it raises the error if that does not pass."""
        if self._failures >= MOST_UNFORESEEN and not isinstance(error, StoreUnavailable):
            raise error
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 10))
        self.retry_at = now + pause * random.uniform(0.8, 1.2)
        self._failures += 1
        if self._failures == 1 and isinstance(error, StoreUnavailable):
            log.store_down(self._who, error)
        elif self._failures == 1:
            log.unexpected(self._who, log.one_line(error))

    def answered(self) -> None:
        """A try was answered."""
        if self._failures:
            log.store_up(self._who, self._failures)
        self._failures = 0
