"""Putting tasks: one statement for all of them, then a look at who stands in the way of those it left out."""

from collections.abc import Sequence
from operator import attrgetter

from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.session import Session, first
from taskkitx.errors import StoreUnavailable
from taskkitx.record import Put
from taskkitx.task import Task

TRIES = 5

_id = attrgetter("id")
_key = attrgetter("unique_key")


def put(session: Session, tasks: Sequence[Task]) -> list[Put]:
    """Insert, or name the one that stands; inside the caller's transaction."""
    return (
        _put_keyless(session, tasks)
        if {*map(_key, tasks)} == {None}
        else _put_keyed(session, tasks)
    )


def _put_keyless(session: Session, tasks: Sequence[Task]) -> list[Put]:
    """Nothing but a task of the same id can stand in the way: it was put before."""
    in_order = sorted(tasks, key=_id)  # batches that share ids must not wait for each other
    inserted = session.insert(in_order)
    if all(inserted):
        return [Put(task.id, True) for task in tasks]
    created = {task.id for task, new in zip(in_order, inserted, strict=True) if new}
    answers: list[Put] = []
    for task in tasks:
        answers.append(Put(task.id, task.id in created))
        created.discard(task.id)  # of two that are the same, the second stood already
    return answers


def _put_keyed(session: Session, tasks: Sequence[Task]) -> list[Put]:
    """What stands in the way may be another task, which may end meanwhile."""
    answers: dict[int, Put] = {}
    left = list(enumerate(tasks))
    for _ in range(TRIES):
        left = _put(session, left, answers)
        if not left:
            return [answers[place] for place in range(len(tasks))]
    raise StoreUnavailable(
        f"the unique key of task {left[0][1].id} changes hands faster than it can be put: try again"
    )


def _put(
    session: Session, tasks: list[tuple[int, Task]], answers: dict[int, Put]
) -> list[tuple[int, Task]]:
    """One try; returns the tasks that met a key which was free again when we asked whose it is."""
    keys = sorted({task.unique_key for _, task in tasks if task.unique_key is not None})
    session.change_each(sql.FREE_WINDOWS, [{"key": key} for key in keys])
    tasks = sorted(tasks, key=_in_one_order)
    inserted = session.insert([task for _, task in tasks])
    if all(inserted):
        answers.update((place, Put(task.id, True)) for place, task in tasks)
        return []
    refused: list[tuple[int, Task]] = []
    for (place, task), created in zip(tasks, inserted, strict=True):
        if created:
            answers[place] = Put(task.id, True)
        else:
            refused.append((place, task))
    holders = session.rows_each(
        sql.HOLDER, [{"id": task.id, "key": task.unique_key} for _, task in refused]
    )
    again: list[tuple[int, Task]] = []
    for (place, task), found in zip(refused, holders, strict=True):
        holder = first(found)
        if holder is None:
            again.append((place, task))
        else:
            answers[place] = Put(holder, False)
    return again


def _in_one_order(item: tuple[int, Task]) -> tuple[str, str]:
    """Batches that share ids or keys meet them in the same order, else each would wait for the other."""
    _, task = item
    return ("", task.id) if task.unique_key is None else (task.unique_key, "")


def rebind(session: Session, ids: Sequence[str]) -> None:
    """Tasks that wait again take their unique keys again, where these are free."""
    names = session.rows_each(sql.UNIQUE_NAME, [{"id": task_id} for task_id in ids])
    for task_id, found in zip(ids, names, strict=True):
        if found:
            session.change(sql.FREE_WINDOWS, {"key": first(found)})
            session.unless_taken(sql.REBIND, {"id": task_id})
