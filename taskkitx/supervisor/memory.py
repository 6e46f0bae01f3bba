"""A worker's own look at its memory: far more often than its supervisor could look, so that it stops claiming in time,
and beside its tasks, so that it knows whose they are."""

import os
from dataclasses import dataclass, field

from taskkitx.supervisor.processes import PAGE, resident_memory
from taskkitx.supervisor.recycle import Growth
from taskkitx.supervisor.slots import Region

LOOK_EVERY = 0.01
_WORTH_A_NAME = 1 << 20
_MOST_NAMES = 100


@dataclass
class MemoryWatch:
    """Tells once when this process has grown beyond `max_rss`, and which tasks made it grow."""

    max_rss: int
    region: Region
    growth: Growth = field(default_factory=Growth)
    _begun: set[str] = field(default_factory=set[str])
    _looked_at: float = 0.0
    _worked: bool = False
    _told: bool = False

    def __post_init__(self) -> None:
        """In the worker: what it occupies now is nobody's."""
        self._statm = _open_statm()
        self.growth.sample(self._occupied(), ())

    def begins(self, name: str) -> None:
        """A task of this name is about to run. Called by the thread that runs it."""
        self._worked = True
        if len(self._begun) < _MOST_NAMES:
            self._begun.add(name)

    def look(self, now: float) -> int:
        """Bytes, when the process has just been found too large; 0 otherwise.

        Without a task begun it never is: its successor would be as large, and nothing would ever be done.
        """
        if self._told or not self._worked or now - self._looked_at < LOOK_EVERY:
            return 0
        self._looked_at = now
        rss = self._occupied()
        if rss - self.growth.last >= _WORTH_A_NAME:
            begun, self._begun = self._begun, set()
            running = {task.name for task in self.region.running()}
            self.growth.sample(rss, sorted(begun | running))
        self._told = rss > self.max_rss
        return rss if self._told else 0

    def _occupied(self) -> int:
        if self._statm is None:
            return resident_memory(os.getpid())
        return int(os.pread(self._statm, 128, 0).split()[1]) * PAGE


def _open_statm() -> int | None:
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # not Linux
