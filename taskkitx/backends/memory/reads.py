"""What readers ask of a memory store: which rows, and how many."""

from collections import Counter
from collections.abc import Sequence

from taskkitx.backends.memory.row import Row
from taskkitx.record import GroupStatus, TaskFilter
from taskkitx.task import TaskState


def matches(row: Row, which: TaskFilter) -> bool:
    """Whether the filter lets this row through."""
    return (
        (which.states is None or row.state in which.states)
        and (which.group is None or row.task.group == which.group)
        and (which.name is None or row.task.name == which.name)
        and (
            which.finished_before is None
            or (row.done is not None and row.done < which.finished_before)
        )
    )


def group_status(
    group: str, members: Sequence[Row], paused: bool, cap: int, now: float
) -> GroupStatus:
    """One group's figures."""
    counts = Counter(row.state for row in members)
    queued = [row.task.due for row in members if row.state is TaskState.QUEUED]
    return GroupStatus(
        group=group,
        counts={state: min(count, cap) for state, count in counts.items()},
        oldest_due=now - min(queued) if queued else None,
        paused=paused,
    )
