"""Functions that are put by the clock: what `@queue.periodic` collects, as schedule entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TypedDict

from taskkitx.app.function import Enqueueable
from taskkitx.cron import CronSchedule
from taskkitx.errors import ConfigurationError, InvalidSchedule
from taskkitx.localtime import Fold, Gap
from taskkitx.schedule import Overlap, PointsSchedule, Schedule, ScheduleEntry
from taskkitx.task import Task

AnySchedule = Schedule | PointsSchedule


class Policies(TypedDict, total=False):
    """What a schedule entry does about missed instants, overlaps and clock changes; see ScheduleEntry."""

    missed: str
    look_back: float
    overlap: Overlap
    gap: Gap
    fold: Fold


@dataclass(frozen=True, slots=True)
class Periodic:
    """One function on one schedule."""

    key: str
    """What the store remembers its past by."""
    function: Enqueueable[..., Any]
    schedule: AnySchedule
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    policies: Policies


class Timetable:
    """The periodic functions of a queue."""

    def __init__(self, make: Callable[..., Task]) -> None:
        """`make(called, args, kwargs)` gives the task of a call."""
        self._make = make
        self._periodic: dict[str, Periodic] = {}

    def add(self, periodic: Periodic) -> None:
        """Raises InvalidSchedule when its key is taken; InvalidArguments, EncodeError when its arguments do not fit."""
        known = self._periodic.get(periodic.key)
        if known is not None and known.function.name != periodic.function.name:
            raise InvalidSchedule(
                f"key={periodic.key!r}: {known.function.name} and {periodic.function.name} both have it"
            )
        self._entry(periodic)
        self._periodic[periodic.key] = periodic

    def free_key(self, name: str, schedule: AnySchedule) -> str:
        """The name, or the name with a number where a function is put on several schedules."""
        key, number = name, 1
        while key in self._periodic and self._periodic[key].schedule != schedule:
            number += 1
            key = f"{name} #{number}"
        return key

    def entries(self) -> dict[str, list[ScheduleEntry]]:
        """One scheduler for each module: programs that share a store do not share the memory of a scheduler."""
        entries: dict[str, list[ScheduleEntry]] = {}
        for periodic in self._periodic.values():
            name = periodic.function.name
            entries.setdefault(name.rpartition(".")[0] or name, []).append(self._entry(periodic))
        return entries

    def _entry(self, periodic: Periodic) -> ScheduleEntry:
        function = periodic.function
        task = self._make(function.called, periodic.args, periodic.kwargs)
        options = {
            "priority": task.priority,
            "expires": task.expires,
            "headers": task.headers,
            "unique_key": task.unique_key,
            "unique_until": task.unique_until,
            "unique_for": task.unique_for,
        }
        return ScheduleEntry(
            key=periodic.key,
            schedule=periodic.schedule,
            group=task.group,
            name=task.name,
            data=task.data,
            result_ttl=task.ttl,
            options={name: value for name, value in options.items() if value},
            **periodic.policies,
        )


def make_schedule(
    cron: str | None, tz: str | tzinfo | None, schedule: AnySchedule | None
) -> AnySchedule:
    """The schedule of a cron line, or the one given. Raises InvalidSchedule."""
    if schedule is None and cron is not None:
        return CronSchedule(cron, tz)
    if schedule is not None and cron is None and tz is None:
        return schedule
    raise ConfigurationError(
        'a periodic function takes cron="*/5 * * * *" (with tz=), or a whole schedule=...'
    )
