"""What becomes of instants that passed while nobody looked. The cost depends on how many are fired, never on how many
were missed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from taskkitx.errors import InvalidSchedule

NextAfter = Callable[[float], float | None]
"""The first instant strictly after another one."""

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
LATE = 5.0
"""Seconds after its instant from which on a firing counts as missed under `skip`."""
RESOLUTION = 1e-3
"""Instants closer than this cannot be told apart when the last ones of very many are looked for."""


@dataclass(frozen=True)
class Missed:
    """A policy: of the instants that are due at once, these are fired."""

    kind: Literal["latest", "earliest", "all", "skip"]
    limit: int = 1

    @classmethod
    def named(cls, name: str | None) -> "Missed":
        """The policy of that name, None being `latest`. Raises InvalidSchedule."""
        text = "latest" if name is None else name if isinstance(name, str) else ""
        if text in _ALONE:
            return _ALONE[text]
        found = re.fullmatch(r"all(?:\((\d{1,9})\))?", text)
        limit = int(found[1] or DEFAULT_LIMIT) if found else 0
        if 1 <= limit <= MAX_LIMIT:
            return cls("all", limit)
        raise InvalidSchedule(
            f"missed={name!r}: it takes 'latest', 'earliest', 'skip' or 'all(N)' with N from 1 to {MAX_LIMIT}"
        )

    def __str__(self) -> str:
        """Its name."""
        return f"all({self.limit})" if self.kind == "all" else self.kind

    def choose(self, next_after: NextAfter, since: float, now: float) -> list[float]:
        """Of the instants in (since, now], those to fire, oldest first."""
        if self.kind == "earliest":
            return take(next_after, since, now, 1)
        if self.kind == "skip":
            since = max(since, now - LATE)
        return newest(next_after, since, now, self.limit)


_ALONE = {
    "latest": Missed("latest"),
    "earliest": Missed("earliest"),
    "skip": Missed("skip"),
}


def take(next_after: NextAfter, since: float, until: float, limit: int) -> list[float]:
    """The first `limit` instants in (since, until]."""
    points: list[float] = []
    point = next_after(since)
    while point is not None and point <= until:
        points.append(point)
        if len(points) == limit:
            break
        point = next_after(point)
    return points


def newest(next_after: NextAfter, since: float, until: float, limit: int) -> list[float]:
    """The last `limit` instants in (since, until], oldest first.

    Looks back from the end, at least twice as far each time, until there are enough; never walks through more than it
    takes to see that there are too many.
    """
    few, width = until, 1.0
    while True:
        start = max(since, until - width)
        points = take(next_after, start, until, 2 * limit + 1)
        if len(points) > 2 * limit:
            return _narrowed(next_after, start, few, until, limit)
        if len(points) >= limit or start == since:
            return points[-limit:]
        few, width = start, width * max(2.0, 1.5 * limit / len(points) if points else 2.0)


def _narrowed(
    next_after: NextAfter, many: float, few: float, until: float, limit: int
) -> list[float]:
    """The last instants, when there are too many after `many` and too few after `few`."""
    while few - many > RESOLUTION:
        middle = (few + many) / 2
        points = take(next_after, middle, until, 2 * limit + 1)
        if len(points) > 2 * limit:
            many = middle
        elif len(points) < limit:
            few = middle
        else:
            return points[-limit:]
    return take(next_after, few, until, 2 * limit)[-limit:]
