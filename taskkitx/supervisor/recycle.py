"""When a worker has served long enough, and which tasks make its memory grow."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from taskkitx.settings import Settings

HARD_FACTOR = 1.5
"""Beyond this multiple of `max_rss` a worker is killed at once."""
_TASKS_JITTER = 0.10
_AGE_JITTER = 0.15


@dataclass(frozen=True, slots=True)
class Service:
    """What a worker has done so far."""

    finished: int
    age: float
    """Seconds since its fork."""
    rss: int
    """Bytes."""
    jitter: float
    """Between -1 and 1, its own for life."""
    worked: bool
    """It has begun a task: before that, its memory is what every worker of this application needs."""


def too_long(service: Service, settings: Settings) -> str | None:
    """Why the worker should be replaced, or None."""
    tasks = round(settings.max_tasks * (1 + _TASKS_JITTER * service.jitter))
    if settings.max_tasks and service.finished >= max(1, tasks):
        return f"it has run {service.finished} tasks (max_tasks)"
    if settings.max_age and service.age >= settings.max_age * (1 + _AGE_JITTER * service.jitter):
        return f"it is {service.age:.0f} s old (max_age)"
    if settings.max_rss and service.worked and service.rss > settings.max_rss:
        return f"it occupies {mebibytes(service.rss)} (max_rss)"
    return None


def far_too_large(service: Service, settings: Settings) -> bool:
    """Whether waiting for its tasks to end could cost the machine."""
    return service.worked and 0 < settings.max_rss * HARD_FACTOR < service.rss


def mebibytes(size: int) -> str:
    """For people."""
    return f"{size / 2**20:.0f} MiB"


@dataclass(slots=True)
class Growth:
    """Which task names were running while a worker's memory grew: over many samples, the leaker stands out."""

    last: int = 0
    by_name: Counter[str] = field(default_factory=Counter[str])

    def sample(self, rss: int, names: Sequence[str]) -> None:
        """The worker occupies `rss` bytes and runs these tasks."""
        grown, self.last = rss - self.last, rss
        if grown == rss or not names:
            return  # the first sample: all of it is the interpreter and the application
        for name in names:
            self.by_name[name] += grown // len(names)

    @property
    def culprit(self) -> str:
        """The name that grew most; empty when nothing is known."""
        return max(self.by_name, key=lambda name: self.by_name[name], default="")
