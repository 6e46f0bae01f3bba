"""What readers ask of a memory store: which rows, and how many. Called with the store's lock held."""

import heapq
from collections import Counter
from collections.abc import Collection, Sequence

from taskkitx.backends.memory.row import Row
from taskkitx.backends.memory.store import MemoryStore
from taskkitx.record import GroupStatus, Record, TaskFilter
from taskkitx.task import TaskState


def list_tasks(
    store: MemoryStore, which: TaskFilter, limit: int, after: str | None
) -> list[Record]:
    """A page, newest id first."""
    found = [
        row
        for row in store.tasks.values()
        if _matches(row, which) and (after is None or row.task.id < after)
    ]
    page = heapq.nlargest(limit, found, key=lambda row: row.task.id)
    return [row.record for row in page]


def _matches(row: Row, which: TaskFilter) -> bool:
    return (
        (which.states is None or row.state in which.states)
        and (which.group is None or row.task.group == which.group)
        and (which.name is None or row.task.name == which.name)
        and (
            which.finished_before is None
            or (row.done is not None and row.done < which.finished_before)
        )
    )


def groups(store: MemoryStore, cap: int, now: float) -> list[GroupStatus]:
    """Every group's figures; a paused one is shown though it has no tasks."""
    by_group: dict[str, list[Row]] = {group: [] for group, paused in store.paused.items() if paused}
    for row in store.tasks.values():
        by_group.setdefault(row.task.group, []).append(row)
    return [
        _group_status(group, members, store.is_paused(group), cap, now)
        for group, members in sorted(by_group.items())
    ]


def _group_status(
    group: str, members: Sequence[Row], paused: bool, cap: int, now: float
) -> GroupStatus:
    counts = Counter(row.state for row in members)
    queued = [row.task.due for row in members if row.state is TaskState.QUEUED]
    return GroupStatus(
        group=group,
        counts={state: min(count, cap) for state, count in counts.items()},
        oldest_due=now - min(queued) if queued else None,
        paused=paused,
    )


def next_due(store: MemoryStore, groups: Collection[str], now: float) -> float | None:
    """Seconds until the first scheduled task of these groups is due."""
    dues = (
        row.task.due - now
        for row in store.tasks.values()
        if row.state is TaskState.SCHEDULED and row.task.group in groups
    )
    return min(dues, default=None)
