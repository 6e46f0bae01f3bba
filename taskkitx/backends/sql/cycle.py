"""The worker's cycle on SQLite. The hot path is one statement; what needs more pays for more."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.puts import put, rebind
from taskkitx.outcome import Cancelled, Discarded, Expired, Failed, Outcome, Retried, Succeeded
from taskkitx.task import Task, TaskState

_ENDS = {
    Failed: TaskState.FAILED,
    Cancelled: TaskState.CANCELLED,
    Discarded: TaskState.DISCARDED,
    Expired: TaskState.EXPIRED,
}


def is_simple(outcome: Outcome) -> bool:
    """Whether the hot statement can write it."""
    return type(outcome) is Succeeded and not outcome.then


def exchange(
    connection: sqlite3.Connection,
    worker_id: str,
    outcomes: Sequence[Outcome],
    wanted: Mapping[str, int],
    seq: int,
    now: float,
) -> int:
    """Write simple outcomes and claim; returns how many rows that changed."""
    padded = 1 << (len(outcomes) - 1).bit_length() if outcomes else 0
    parameters: list[Any] = [now, worker_id, seq]
    for outcome in outcomes:
        parameters += (outcome.task.id, outcome.task.attempt, outcome.result)  # type: ignore[union-attr]  # simple ones are Succeeded
    parameters += [None] * (3 * (padded - len(outcomes)))
    for group, limit in wanted.items():
        parameters += (group, limit)
    return connection.execute(sql.exchange(padded, len(wanted)), parameters).rowcount


def claimed(connection: sqlite3.Connection, worker_id: str, seq: int) -> list[Task]:
    """What this claim took, in order."""
    found = [
        rows.to_task(row) for row in connection.execute(sql.CLAIMED, (worker_id, seq)).fetchall()
    ]
    found.sort(key=lambda task: (-task.priority, task.due, task.id))
    return found


def any_due(connection: sqlite3.Connection, groups: Collection[str], now: float) -> bool:
    """Whether something scheduled has become due."""
    return any(
        connection.execute(sql.ANY_DUE, (group, now)).fetchone() is not None for group in groups
    )


def promote(connection: sqlite3.Connection, groups: Collection[str], now: float) -> None:
    """Queue what is due, a bounded number at a time."""
    for group in groups:
        connection.execute(sql.PROMOTE, (group, now))


def write(
    connection: sqlite3.Connection, worker_id: str, outcomes: Sequence[Outcome], now: float
) -> set[str]:
    """Write any outcomes one by one, inside the caller's transaction; returns the accepted ids."""
    accepted: set[str] = set()
    followers: list[Task] = []
    for outcome in outcomes:
        if _write_one(connection, worker_id, outcome, now):
            followers += outcome.then
            accepted.add(outcome.task.id)
        elif was_written(connection, worker_id, outcome.task):
            accepted.add(outcome.task.id)
    if followers:
        put(connection, followers, now)
    return accepted


def was_written(connection: sqlite3.Connection, worker_id: str, claim: Task) -> bool:
    """Whether this claim was the task's last: taking back or claiming anew changes worker or attempt."""
    return (
        connection.execute(sql.WRITTEN, (claim.id, claim.attempt, worker_id)).fetchone() is not None
    )


def was_finished(connection: sqlite3.Connection, worker_id: str, claim: Task) -> bool:
    """Whether this claim's outcome is written: the claim was the last one, and runs no more."""
    row = connection.execute(sql.WRITTEN_STATE, (claim.id, claim.attempt, worker_id)).fetchone()
    return row is not None and row[0] != TaskState.RUNNING


def _write_one(
    connection: sqlite3.Connection, worker_id: str, outcome: Outcome, now: float
) -> bool:
    fence = {
        "id": outcome.task.id,
        "attempt": outcome.task.attempt,
        "worker": worker_id,
        "now": now,
    }
    if isinstance(outcome, Retried):
        _remember(connection, fence, "retried", outcome)
        return _retry(connection, fence, outcome, now)
    result, error, state = None, None, TaskState.SUCCEEDED
    if isinstance(outcome, Succeeded):
        result = outcome.result
    else:
        state = _ENDS[type(outcome)]
    if isinstance(outcome, Failed):
        _remember(connection, fence, "failed", outcome)
        error = outcome.fault.text
    ended = fence | {"state": int(state), "result": result, "error": error}
    return connection.execute(sql.END, ended).rowcount == 1


def _remember(
    connection: sqlite3.Connection, fence: dict[str, Any], word: str, outcome: Retried | Failed
) -> None:
    """History first: it is written if the fence still holds, and the outcome itself ends that."""
    fault = outcome.fault
    remember(connection, fence, word, fault.kind, fault.message, fault.trace)


def remember(
    connection: sqlite3.Connection,
    fence: dict[str, Any],
    word: str,
    kind: str,
    message: str,
    trace: str,
) -> None:
    """Keep an attempt that did not succeed; a task's last hundred are kept."""
    entry = fence | {"word": word, "kind": kind, "message": message, "trace": trace}
    connection.execute(sql.HISTORY, entry)
    if fence["attempt"] > 100:
        connection.execute(sql.HISTORY_KEPT, {"id": fence["id"]})


def _retry(
    connection: sqlite3.Connection, fence: dict[str, Any], outcome: Retried, now: float
) -> bool:
    interval = max(0.0, outcome.interval)
    state = TaskState.SCHEDULED if interval > 0 else TaskState.QUEUED
    change = fence | {"state": int(state), "charged": int(outcome.charged), "due": now + interval}
    if connection.execute(sql.RETRY, change).rowcount != 1:
        return False
    wait_again(connection, [outcome.task.id], now)
    return True


def wait_again(connection: sqlite3.Connection, ids: Sequence[str], now: float) -> None:
    """These tasks wait again, unless somebody had asked to cancel them; free unique keys are theirs again."""
    for task_id in ids:
        connection.execute(sql.CANCEL_WAITING, {"id": task_id, "now": now})
    rebind(connection, ids, now)
