"""Where claims may begin to look while an old snapshot is held: it keeps every row a claim took from being cleaned up,
and the next claims would have to step over all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from taskkitx.backends.sql.session import Session
from taskkitx.task import Task

SLOW = 0.005
"""Seconds beyond which an exchange is reason to look for an old snapshot."""
LOOK_EVERY = 1.0
UNHINTED_EVERY = 0.1
"""How long an urgent task may wait for a claim that looks from the very beginning ..."""
UNHINTED_SHARE = 10
"""... unless such claims would take more than a tenth of the time."""


class Mark(NamedTuple):
    """A place in the order of claims."""

    rank: int
    due: float
    id: str


class Watermarks:
    """The first rows that the last claim from the very beginning found, by group; one process's."""

    def __init__(self, is_held: Callable[[Session], bool]) -> None:
        """`is_held`: whether somebody holds an old snapshot. As far as we know, nobody does."""
        self._is_held = is_held
        self._looked_at = 0.0
        self._held = False
        self._unhinted_at = 0.0
        """When to claim from the very beginning again, in monotonic seconds."""
        self._marks: dict[str, Mark] = {}

    def hints(self, wanted: Mapping[str, int]) -> list[Mark] | None:
        """Where to begin in each of these groups; None: at the very beginning."""
        if not self._held or time.monotonic() > self._unhinted_at:
            return None
        if any(group not in self._marks for group in wanted):
            return None
        return [self._marks[group] for group in wanted]

    def saw_all(self, wanted: Mapping[str, int], claims: Sequence[Task], seconds: float) -> None:
        """What a claim from the very beginning found, and how long it took."""
        self._unhinted_at = time.monotonic() + max(UNHINTED_EVERY, UNHINTED_SHARE * seconds)
        for group in wanted:
            self._marks.pop(group, None)
        for task in claims:
            self._marks.setdefault(task.group, Mark(-task.priority, task.due, task.id))

    def took(self, session: Session, seconds: float) -> None:
        """An exchange took so long: look who holds a snapshot, not too often."""
        now = time.monotonic()
        if (seconds > SLOW or self._held) and now - self._looked_at > LOOK_EVERY:
            self._looked_at = now
            self._held = self._is_held(session)
