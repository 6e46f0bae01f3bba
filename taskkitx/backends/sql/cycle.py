"""The parts of the worker's cycle that all SQL stores share: outcomes that need more than the hot statement."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, TypeGuard

from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.puts import put, rebind
from taskkitx.backends.sql.session import Parameters, Row, Session, first
from taskkitx.outcome import Cancelled, Discarded, Expired, Failed, Outcome, Retried, Succeeded
from taskkitx.task import Task, TaskState

KEPT = 100
"""How many attempts of a task its history keeps."""

_ENDS = {
    Succeeded: TaskState.SUCCEEDED,
    Failed: TaskState.FAILED,
    Cancelled: TaskState.CANCELLED,
    Discarded: TaskState.DISCARDED,
    Expired: TaskState.EXPIRED,
}


_RANK_DUE_ID = itemgetter(*map(sql.COLUMNS.split(", ").index, ("rank", "due", "id")))


def is_simple(outcome: Outcome) -> TypeGuard[Succeeded]:
    """Whether the hot statement can write it."""
    return type(outcome) is Succeeded and not outcome.then


def claimed(session: Session, worker_id: str, seq: int) -> list[Task]:
    """What this claim took, in order."""
    return in_order(session.rows(sql.CLAIMED, {"worker": worker_id, "seq": seq}))


def in_order(found: Sequence[Row]) -> list[Task]:
    """The tasks of these rows, by (priority descending, due, id)."""
    return [rows.to_task(row) for row in ordered(found, _RANK_DUE_ID)]


def ordered(found: Iterable[Row], key: Callable[[Row], tuple[Any, ...]]) -> list[Row]:
    """Rows by this key; as they come where somebody else has put a text for a number, which SQLite keeps."""
    found = list(found)
    try:
        return sorted(found, key=key)
    except TypeError:
        return found


def fence(worker_id: str, task: Task) -> dict[str, Any]:
    """What a write about a running task names."""
    return {"id": task.id, "attempt": task.attempt, "worker": worker_id}


def write(session: Session, worker_id: str, outcomes: Sequence[Outcome]) -> set[str]:
    """Write any outcomes, inside the caller's transaction; returns the accepted ids."""
    held = hold(session, worker_id, [outcome.task for outcome in outcomes])
    ours = [outcome for outcome in outcomes if outcome.task.id in held]
    remember(session, [_history(worker_id, o) for o in ours if isinstance(o, Retried | Failed)])
    retried = [outcome for outcome in ours if isinstance(outcome, Retried)]
    session.change_each(sql.RETRY, [_retry(worker_id, outcome) for outcome in retried])
    ended = [outcome for outcome in ours if not isinstance(outcome, Retried)]
    session.change_each(sql.END, [_end(worker_id, outcome) for outcome in ended])
    wait_again(session, [outcome.task.id for outcome in retried])
    followers = [task for outcome in ours for task in outcome.then]
    if followers:
        put(session, followers)
    others = [outcome.task for outcome in outcomes if outcome.task.id not in held]
    return held | finished_before(session, worker_id, others)


def hold(session: Session, worker_id: str, claims: Sequence[Task]) -> set[str]:
    """Lock the tasks whose fence holds, in order of id; returns their ids."""
    fences = [fence(worker_id, task) for task in sorted(claims, key=lambda task: task.id)]
    return {row[0] for found in session.rows_each(sql.HOLD, fences) for row in found}


def finished_before(session: Session, worker_id: str, claims: Sequence[Task]) -> set[str]:
    """Those whose outcome was written already: the claim was the task's last one, and runs no more."""
    answers = session.rows_each(sql.WRITTEN_STATE, [fence(worker_id, task) for task in claims])
    return {
        task.id
        for task, found in zip(claims, answers, strict=True)
        if first(found) not in (None, TaskState.RUNNING)
    }


def remember(session: Session, entries: Sequence[Parameters]) -> None:
    """Keep attempts that did not succeed, while their fences hold; a task's last hundred are kept."""
    session.change_each(sql.HISTORY, entries)
    session.change_each(sql.HISTORY_KEPT, [e for e in entries if e["attempt"] > KEPT])


def _history(worker_id: str, outcome: Retried | Failed) -> Parameters:
    fault = outcome.fault
    return {
        **fence(worker_id, outcome.task),
        "word": "retried" if isinstance(outcome, Retried) else "failed",
        "kind": fault.kind,
        "message": fault.message,
        "trace": fault.trace,
    }


def _retry(worker_id: str, outcome: Retried) -> Parameters:
    interval = max(0.0, outcome.interval)
    return {
        **fence(worker_id, outcome.task),
        "state": int(TaskState.SCHEDULED if interval > 0 else TaskState.QUEUED),
        "charged": int(outcome.charged),
        "interval": interval,
    }


def _end(
    worker_id: str, outcome: Succeeded | Failed | Cancelled | Discarded | Expired
) -> Parameters:
    return {
        **fence(worker_id, outcome.task),
        "state": int(_ENDS[type(outcome)]),
        "result": outcome.result if isinstance(outcome, Succeeded) else None,
        "error": outcome.fault.text if isinstance(outcome, Failed) else None,
    }


def wait_again(session: Session, ids: Sequence[str]) -> None:
    """These tasks wait again, unless somebody had asked to cancel them; free unique keys are theirs again."""
    session.change_each(sql.CANCEL_WAITING, [{"id": task_id} for task_id in ids])
    rebind(session, ids)
