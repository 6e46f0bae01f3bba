"""Puts the tasks of schedule entries: any number of schedulers race, and compare-and-set of the state in the store
decides, together with the tasks, in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

from taskkitx.backend import Backend
from taskkitx.schedule import (
    OnlyLatest,
    ScheduleEntriesCompatMapping,
    ScheduleEntry,
    as_entries,
    local_zone,
)
from taskkitx.task import DEFAULT_TASK_TTL, Task
from taskkitx.worker.attempt import Handler
from taskkitx.worker.services import Service

LONGEST_WAIT = 1.0
MOST_POINTS = 1000
"""Of a longer row of missed instants, policies see the last ones only."""
LOOK_BACK = 7 * 24 * 3600.0
"""Instants missed longer ago are forgotten."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look at the clock came to."""

    state: bytes
    tasks: list[Task]
    next_at: float
    """The next instant of any entry."""


def plan(entries: Sequence[ScheduleEntry], state: bytes | None, now: float, zone: tzinfo) -> Plan:
    """What is due. A new entry has no past; a clock that was put back fires nothing twice."""
    last: dict[str, float] = json.loads(state)["last"] if state else {}
    kept: dict[str, float] = {}
    tasks: list[Task] = []
    next_at = float("inf")
    for entry in entries:
        since = last.get(entry.key, now)
        points = _points(entry, max(since, now - LOOK_BACK), now, zone)
        policy = getattr(entry.schedule, "duplication_policy", OnlyLatest())
        tasks += [_task(entry, point) for point in (policy(points, since) if points else ())]
        kept[entry.key] = points[-1] if points else since
        upcoming = entry.schedule.next_after(max(now, kept[entry.key]), zone)
        next_at = next_at if upcoming is None else min(next_at, upcoming)
    return Plan(json.dumps({"version": 1, "last": kept}).encode(), tasks, next_at)


def _points(entry: ScheduleEntry, since: float, now: float, zone: tzinfo) -> list[float]:
    points: list[float] = []
    point = entry.schedule.next_after(since, zone)
    while point is not None and point <= now:
        points.append(point)
        if len(points) > 2 * MOST_POINTS:
            del points[1:MOST_POINTS]  # the first stays: OnlyEarliest wants it
        point = entry.schedule.next_after(point, zone)
    return points


def _task(entry: ScheduleEntry, point: float) -> Task:
    ttl = DEFAULT_TASK_TTL if entry.result_ttl is None else entry.result_ttl
    return Task.init(entry.group, entry.name, entry.data, due=point, scheduled=point, ttl=ttl)


def run_scheduler(
    backend: Backend, name: str, entries: Sequence[ScheduleEntry], zone: tzinfo
) -> float:
    """Put what is due; returns the seconds until something will be, at most one."""
    state = backend.scheduler_state(name)
    now = backend.now()
    planned = plan(entries, state, now, zone)
    if (
        planned.tasks or state is None or _keys(state) != _keys(planned.state)
    ) and not backend.fire(name, state, planned.state, planned.tasks):
        return 0.0  # another scheduler was faster: look at what it left
    return min(LONGEST_WAIT, max(0.0, planned.next_at - backend.now()))


def _keys(state: bytes) -> set[str]:
    return set(json.loads(state)["last"])


def scheduler_services(
    backend: Backend,
    handler: Handler,
    schedule_entries: ScheduleEntriesCompatMapping,
    tzinfo: tzinfo | None,
) -> dict[str, Service]:
    """A service for each scheduler. Raises InvalidSchedule."""
    zone = tzinfo or local_zone()
    return {
        name: partial(run_scheduler, backend, name, as_entries(entries, handler.encode_data), zone)
        for name, entries in schedule_entries.items()
    }
