"""Running a task at once in the caller's thread, for tests and scripts: same codec, same retry policy, no store.

Waits are left out: `due` is not waited for and retries follow each other at once.
"""

import time
from dataclasses import replace
from typing import Any

from taskkitx import clock
from taskkitx.handler import TaskHandler
from taskkitx.outcome import Discarded, Failed, Outcome, Retried, Succeeded
from taskkitx.record import Record
from taskkitx.result import prevent_to_wait_result
from taskkitx.settings import Settings
from taskkitx.task import Task, TaskState
from taskkitx.worker import attempt as attempts

MOST_ATTEMPTS = 1000


def run_eagerly(handler: TaskHandler[Any, Any], task: Task, settings: Settings) -> Record:
    """Run the task to its end and return the record a store would have kept."""
    before = getattr(handler, "before", None)
    outcome: Outcome | None = None
    for attempt in range(1, MOST_ATTEMPTS + 1):
        task = replace(task, state=TaskState.RUNNING, attempt=attempt, began=clock.now())
        with prevent_to_wait_result(), attempts.entered(attempts.Current(task, 0.0, _never)):
            outcome = attempts.run(handler, task, before, _nothing, settings.max_result_bytes)
        if not isinstance(outcome, Retried):
            break
        task = replace(task, retry_count=task.retry_count + 1)
    assert outcome is not None
    return _record(outcome)


def _nothing() -> None:
    """Nobody interrupts an eager attempt."""


def _never() -> bool:
    """There is no lease to lose."""
    return False


def _record(outcome: Outcome) -> Record:
    done = time.time()
    state = TaskState.CANCELLED
    result: bytes | None = None
    error: str | None = None
    match outcome:
        case Succeeded():
            state, result = TaskState.SUCCEEDED, outcome.result
        case Failed(fault=fault):
            state, error = TaskState.FAILED, f"{fault.kind}: {fault.message}\n{fault.trace}"
        case Retried(fault=fault):
            state = TaskState.FAILED
            error = f"{fault.kind}: {fault.message}\nstill retried after {MOST_ATTEMPTS} attempts"
        case Discarded():
            state = TaskState.DISCARDED
        case _:
            pass
    return Record(replace(outcome.task, state=state), result, error, done, done + outcome.task.ttl)
