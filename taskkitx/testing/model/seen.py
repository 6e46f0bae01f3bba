"""What can be seen of a backend's answers: everything, but for what the port leaves to the store.

Times are compared to the hundredth of a second. A scheduled task that is due may be called queued already. A unique
key need not be shown once it no longer binds, and the `due` of a finished task means nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from taskkitx.record import Attempt, Exchanged, GroupStatus, Record, WorkerRecord
from taskkitx.task import Task, TaskState

Look = Callable[[Any, float], object]


def as_is(answer: object, now: float) -> object:
    """All of it."""
    return answer


def as_set(answer: Collection[Any], now: float) -> object:
    """What is in it, each once."""
    assert len(set(answer)) == len(answer), answer
    return set(answer)


def rounded(answer: float | None, now: float) -> object:
    """A time, near enough."""
    return _round(answer)


def claim(answer: Task | None, now: float) -> object:
    """One claimed task."""
    return None if answer is None else _task(answer, now)


def claims(answer: Sequence[Task], now: float) -> object:
    """Claimed tasks in order, for each group."""
    grouped = Task.group_tasks(*answer)
    return {group: [_task(task, now) for task in tasks] for group, tasks in grouped.items()}


def exchanged(answer: Exchanged, now: float) -> object:
    """Accepted ids and claims."""
    return as_set(answer.accepted, now), claims(answer.claims, now)


def records(answer: Sequence[Record], now: float) -> object:
    """Records by id; the order is seen by `pages`."""
    return {record.task.id: _record(record, now) for record in answer}


def pages(answer: Sequence[Record], now: float) -> object:
    """Records in order."""
    return [_record(record, now) for record in answer]


def attempts(answer: Sequence[Attempt], now: float) -> object:
    """History in order."""
    return [replace(one, began=_round(one.began), ended=round(one.ended, 2)) for one in answer]


def workers(answer: Sequence[WorkerRecord], now: float) -> object:
    """Workers; those that registered at the same instant have no order."""
    seen = [
        replace(
            worker,
            started=round(worker.started, 2),
            lease_left=round(worker.lease_left, 2),
            info=dict(worker.info),
        )
        for worker in answer
    ]
    assert [one.started for one in seen] == sorted(one.started for one in seen), answer
    return {worker.id: worker for worker in seen}


def groups(answer: Sequence[GroupStatus], now: float) -> object:
    """Groups in order, with the counts that no due task blurs."""
    return [(status.group, status.paused, _sure_counts(status)) for status in answer]


def ages(answer: Sequence[GroupStatus], now: float) -> object:
    """How long each group's oldest queued task has been due, and how many there are."""
    return {
        status.group: (
            _round(status.oldest_due),
            status.counts.get(TaskState.QUEUED, 0),
            status.counts.get(TaskState.SCHEDULED, 0),
        )
        for status in answer
    }


def _sure_counts(status: GroupStatus) -> dict[TaskState, int]:
    blurred = (TaskState.SCHEDULED, TaskState.QUEUED)
    return {
        state: count for state, count in status.counts.items() if count and state not in blurred
    }


def _record(record: Record, now: float) -> Record:
    return replace(
        record,
        task=_task(record.task, now),
        done=_round(record.done),
        disposable=_round(record.disposable),
        cancel_requested=_round(record.cancel_requested),
    )


def _task(task: Task, now: float) -> Task:
    is_due = task.state is TaskState.SCHEDULED and task.due <= now
    return replace(
        task,
        state=TaskState.QUEUED if is_due else task.state,
        due=0.0 if task.state.finished else round(task.due, 2),
        created=round(task.created, 2),
        began=_round(task.began),
        unique_key=None,
        headers=dict(task.headers or {}),
    )


def _round(time: float | None) -> float | None:
    return None if time is None else round(time, 2)
