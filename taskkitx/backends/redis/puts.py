"""Tasks that come in, as arguments of `lua/put.lua` and its kin, and the answers."""

from collections.abc import Sequence
from typing import Any

from taskkitx.backends.redis.fields import put_arguments, to_text
from taskkitx.record import Put
from taskkitx.task import Task


def script_for(tasks: Sequence[Task]) -> str:
    """The shorter one where no unique key has to be looked at."""
    return "put_plain" if all(task.unique_key is None for task in tasks) else "put"


def arguments(tasks: Sequence[Task]) -> list[Any]:
    """How many, and each with all its fields."""
    packed: list[Any] = [len(tasks)]
    for task in tasks:
        packed += put_arguments(task)
    return packed


def to_answers(tasks: Sequence[Task], standing: Sequence[Any]) -> list[Put]:
    """The script names what stood in the way of which task, by its number, and is silent about the others."""
    if not standing:
        return [Put(task.id, True) for task in tasks]
    others = {
        int(number): to_text(task_id)
        for number, task_id in zip(standing[::2], standing[1::2], strict=True)
    }
    return [
        Put(others.get(number, task.id), number not in others) for number, task in enumerate(tasks)
    ]
