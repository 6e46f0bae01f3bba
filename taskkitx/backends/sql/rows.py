"""Rows to tasks and records, and back. The order of columns is that of `statements.COLUMNS`."""

import json
from collections.abc import Sequence
from typing import Any

from taskkitx.backends.headers import read_headers, write_headers
from taskkitx.record import Attempt, Record, WorkerRecord
from taskkitx.task import Task, TaskState, UniqueUntil

Row = Sequence[Any]

_STATES = {int(state): state for state in TaskState}
_QUEUED = int(TaskState.QUEUED)
TASK_COLUMNS = 22


def to_task(row: Row) -> Task:
    """The task of a row.

    The constructor of a frozen dataclass sets every field by itself; filling the instance's dictionary, and leaving
    defaults to the class, takes a third of the time, and this is the hot path.
    """
    task = object.__new__(Task)
    state = task.__dict__
    (
        state["id"],
        name,
        data,
        due,
        created,
        scheduled,
        retry_count,
        ttl,
        rank,
        number,
        state["attempt"],
        state["worker_id"],
        state["began"],
        crashes,
        lost,
        loss,
        timeout,
        expires,
        unique_name,
        unique_until,
        unique_for,
        headers,
    ) = row[:TASK_COLUMNS]
    state["name"] = name
    state["data"] = data
    state["due"] = due
    state["created"] = created
    state["scheduled"] = scheduled
    state["retry_count"] = retry_count
    state["ttl"] = ttl
    state["crashes"] = crashes
    state["lost"] = lost
    state["loss"] = loss
    state["timeout"] = timeout
    state["expires"] = expires
    state["state"] = _STATES[number]
    try:
        if rank:
            state["priority"] = -rank
        if unique_name is not None:
            state["unique_key"] = unique_name
            state["unique_for"] = unique_for
            state["unique_until"] = None if unique_until is None else UniqueUntil(unique_until)
        if headers is not None:
            state["headers"] = read_headers(headers)
    except (ValueError, TypeError) as error:
        state["unreadable"] = str(error)
    if not (
        type(name) is str
        and type(data) is bytes
        and type(due) is type(created) is type(ttl) is float
        and type(retry_count) is type(crashes) is type(lost) is int
        and timeout is expires is scheduled is loss is None
    ):
        _replace_what_is_of_another_type(state)
    return task


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name",), (str,)),
    **dict.fromkeys(("data",), (bytes,)),
    **dict.fromkeys(("due", "created", "ttl"), (float,)),
    **dict.fromkeys(("retry_count", "crashes", "lost", "attempt"), (int,)),
    **dict.fromkeys(("timeout", "expires", "scheduled"), (type(None), float)),
    **dict.fromkeys(("loss",), (type(None), str)),
}


def _replace_what_is_of_another_type(state: dict[str, Any]) -> None:
    """SQLite keeps what somebody else writes, whatever the column's type: nothing of ours shall stumble over it."""
    for name, kinds in _TYPES.items():
        if type(value := state[name]) not in kinds:
            wanted = kinds[-1].__name__
            state[name] = None if type(None) in kinds else kinds[0]()
            state["unreadable"] = f"its {name} is {value!r:.60}, not of type {wanted}"


def to_record(row: Row) -> Record:
    """The record of a row of `statements.RECORD`."""
    return Record(to_task(row), *row[TASK_COLUMNS:])


def to_attempt(row: Row) -> Attempt:
    """The attempt of a row of `statements.ATTEMPTS`."""
    return Attempt(*row)


def to_worker(row: Row) -> WorkerRecord:
    """The worker of a row of `statements.WORKERS`."""
    worker_id, instance, host, pid, boot_id, namespace, pid_started, started, lease_left, info = row
    return WorkerRecord(
        worker_id,
        instance,
        host,
        pid,
        boot_id,
        namespace,
        pid_started,
        started,
        lease_left,
        json.loads(info),
    )


def is_plain(task: Task) -> bool:
    """Whether only the columns of the short INSERT differ from their defaults. Asked for every task that is put."""
    return (
        task.unique_key is None
        and task.headers is None
        and task.scheduled is None
        and task.timeout is None
        and task.expires is None
        and task.loss is None
        and not (task.retry_count or task.attempt or task.crashes or task.lost)
    )


def due_of(task: Task, now: float) -> tuple[int, float]:
    """State and due of a task that is being put; "at once" and delays count from the store's now."""
    state, at, after = due_parts(task)
    return state, now + after if at is None else at


def due_parts(task: Task) -> tuple[int, float | None, float]:
    """State, absolute due (None: counted from the store's now) and seconds after the store's now."""
    if task.delay is not None:
        state = TaskState.SCHEDULED if task.delay > 0 else TaskState.QUEUED
        return int(state), None, task.delay
    if task.state is TaskState.SCHEDULED:
        return int(TaskState.SCHEDULED), task.due, 0.0
    return int(task.state), None, 0.0


def plain_row(task: Task, now: float) -> tuple[Any, ...]:
    """The values of `statements.PLAIN_COLUMNS`."""
    at_once = task.state is TaskState.QUEUED and task.delay is None
    state, due = (_QUEUED, now) if at_once else due_of(task, now)
    return task.id, task.group, task.name, task.data, state, -task.priority, due, now, task.ttl


def full_row(task: Task, now: float) -> tuple[Any, ...]:
    """The values of `statements.FULL_COLUMNS`."""
    return (*plain_row(task, now), *rest_of_row(task))


def rest_of_row(task: Task) -> tuple[Any, ...]:
    """What `statements.FULL_COLUMNS` has beyond the plain ones."""
    until = None if task.unique_until is None else task.unique_until.value
    return (
        task.scheduled,
        task.retry_count,
        task.attempt,
        task.crashes,
        task.lost,
        task.loss,
        task.timeout,
        task.expires,
        task.unique_key,
        None if _never_binds(task) else task.unique_key,
        until,
        task.unique_for,
        write_headers(task.headers),
    )


def _never_binds(task: Task) -> bool:
    """A window of no length is over at once."""
    return task.unique_until is UniqueUntil.WINDOW and not task.unique_for
