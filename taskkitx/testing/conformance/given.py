"""Small steps that tests are made of."""

from collections.abc import Iterable
from typing import Any

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import (
    Cancelled,
    Discarded,
    Expired,
    Failed,
    Fault,
    Outcome,
    Retried,
    Succeeded,
)
from taskkitx.record import Lost, Record
from taskkitx.task import Task, TaskState

WORKER = "wk_a"
ANOTHER = "wk_b"
FAULT = Fault("ValueError", "no such thing", "Traceback:\n  line 1\n")
CRASH = Lost("killed by signal 11 (SIGSEGV)", "Fatal Python error")
GONE = Lost("host gone")
CLOSE = 0.01
"""Stores may keep times to the millisecond."""


def near(time: Any) -> Any:
    """Equal to a time that is close enough to this one, or to a list of such times."""
    return pytest.approx(time, abs=CLOSE)  # pyright: ignore[reportUnknownMemberType]  # untyped


def new_task(group: str = "g", name: str = "n", data: bytes = b"data", **options: Any) -> Task:
    """A task, not put yet."""
    return Task.init(group, name, data, **options)


def put_one(backend: Backend, group: str = "g", **options: Any) -> Task:
    """A task that was put."""
    return put_many(backend, 1, group, **options)[0]


def put_many(backend: Backend, count: int, group: str = "g", **options: Any) -> list[Task]:
    """Tasks that were put, in the order of their ids."""
    tasks = [new_task(group, **options) for _ in range(count)]
    assert all(put.created for put in backend.put(tasks))
    return sorted(tasks, key=lambda task: task.id)


def claim_one(backend: Backend, worker_id: str = WORKER, group: str = "g") -> Task:
    """The one task there is to claim."""
    (claimed,) = backend.claim(worker_id, {group: 2})
    return claimed


def claim_all(backend: Backend, worker_id: str = WORKER, group: str = "g") -> list[Task]:
    """Everything there is to claim."""
    return backend.claim(worker_id, {group: 100_000})


def put_and_claim(
    backend: Backend, worker_id: str = WORKER, group: str = "g", **options: Any
) -> Task:
    """A task this worker runs; nothing else may wait in its group."""
    put_one(backend, group, **options)
    return claim_one(backend, worker_id, group)


def put_and_finish(backend: Backend, **options: Any) -> Task:
    """A task that has succeeded."""
    task = put_and_claim(backend, **options)
    assert set(backend.finish(WORKER, [Succeeded(task, b"result")])) == {task.id}
    return task


def make_suspect(backend: Backend, **options: Any) -> Task:
    """A task that waits in the solo lane."""
    task = put_and_claim(backend, **options)
    assert backend.restore(WORKER, suspects={task.id: CRASH}) == 1
    return task


def record_of(backend: Backend, task: Task) -> Record:
    """What the store knows of a task."""
    return backend.get_many([task.id])[task.id]


def state_of(backend: Backend, task: Task) -> TaskState:
    """Where the task is in its life."""
    return record_of(backend, task).state


def ids(tasks: Iterable[Task | Record]) -> list[str]:
    """Their ids, order kept."""
    return [one.task.id if isinstance(one, Record) else one.id for one in tasks]


def every_outcome(task: Task, then: tuple[Task, ...] = ()) -> dict[str, Outcome]:
    """One outcome of each kind, by name."""
    return {
        "succeeded": Succeeded(task, b"result", then),
        "retried": Retried(task, 60.0, FAULT, then=then),
        "failed": Failed(task, FAULT, then),
        "discarded": Discarded(task, then),
        "cancelled": Cancelled(task, then),
        "expired": Expired(task, then),
    }


EVERY_OUTCOME = tuple(every_outcome(new_task()))
EVERY_END = tuple(kind for kind in EVERY_OUTCOME if kind != "retried")
