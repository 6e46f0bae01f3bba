"""The worker's cycle as arguments of `lua/exchange.lua`, and its answer."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from taskkitx import log
from taskkitx.backends.redis.fields import put_arguments, text, to_claim, to_text
from taskkitx.outcome import Cancelled, Discarded, Expired, Failed, Outcome, Retried, Succeeded
from taskkitx.task import Task

_tasks_vanished = log.Event(
    "error",
    "tasks_vanished",
    "Redis has lost the data of {count} queued tasks, which cannot be run: {tasks}; "
    "was it short of memory with an eviction policy other than noeviction?",
)
_KINDS: dict[type[Outcome], str] = {Discarded: "d", Cancelled: "c", Expired: "e"}


class Answer(NamedTuple):
    """What came of an exchange."""

    refused: set[str]
    claims: list[Task]
    emptied: bool
    """Whether the store has lost everything since the worker registered."""


def arguments(outcomes: Sequence[Outcome], wanted: Mapping[str, int]) -> list[Any]:
    """What the script takes after the worker."""
    packed: list[Any] = [len(outcomes)]
    followers: list[Any] = []
    count = 0
    for number, outcome in enumerate(outcomes, 1):
        packed += (outcome.task.id, outcome.task.attempt)
        packed += _payload(outcome)
        for task in outcome.then:
            put = put_arguments(task)
            followers += (number, len(put), *put)
            count += 1
    packed.append(count)
    packed += followers
    for item in wanted.items():
        packed += item
    return packed


def _payload(outcome: Outcome) -> tuple[Any, ...]:
    if isinstance(outcome, Succeeded):
        return "s", outcome.result
    if isinstance(outcome, Failed):
        return "f", text(outcome.fault.text), *_fault(outcome)
    if isinstance(outcome, Retried):
        return "r", float(outcome.interval), int(outcome.charged), *_fault(outcome)
    return (_KINDS[type(outcome)],)


def _fault(outcome: Failed | Retried) -> tuple[bytes, bytes, bytes]:
    fault = outcome.fault
    return text(fault.kind), text(fault.message), text(fault.trace)


def to_answer(answer: Sequence[Any], worker_id: str) -> Answer:
    """The script's answer; what Redis has lost is logged."""
    now, refused, lost, claims, *emptied = answer
    began = float(now)
    if lost:
        vanished = list(map(to_text, lost))
        _tasks_vanished(count=len(vanished), tasks=vanished[:20])
    return Answer(
        set(map(to_text, refused)),
        [to_claim(claim, worker_id, began) for claim in claims],
        emptied == [1],
    )
