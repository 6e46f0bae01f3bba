"""What a claim saw of the time to come. A worker that got nothing asks for it right away: it need not ask the store."""

import time
from collections.abc import Collection
from typing import NamedTuple

GOOD_FOR = 0.01


class Foreseen(NamedTuple):
    """When the next scheduled task of these groups is due, seen by a claim for them."""

    groups: frozenset[str]
    due: float | None
    """Seconds from then, or None: no task is scheduled."""
    at: float
    """When it was seen, on the monotonic clock."""

    @classmethod
    def now(cls, groups: Collection[str], due: float | None) -> "Foreseen":
        """What has just been seen."""
        return cls(frozenset(groups), due, time.monotonic())

    def answers(self, groups: Collection[str]) -> bool:
        """Whether that is what is asked for now."""
        return self.groups == frozenset(groups) and time.monotonic() - self.at < GOOD_FOR
