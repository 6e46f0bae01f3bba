"""Verbs beside the hot path, each inside its caller's transaction."""

import sqlite3
from collections.abc import Collection, Sequence

from taskkitx.backends.sql import cycle, puts, reads
from taskkitx.backends.sql import statements as sql
from taskkitx.task import Task, TaskState


def claim_solo(
    connection: sqlite3.Connection, worker_id: str, groups: Collection[str], seq: int, now: float
) -> list[Task]:
    """The first suspect of these groups."""
    found = [
        (*row, group)
        for group in groups
        for row in connection.execute(sql.FIRST_SUSPECT, {"group": group, "now": now}).fetchall()
    ]
    if not found:
        return []
    *_, task_id, group = min(found)
    take = {"worker": worker_id, "seq": seq, "now": now, "group": group, "id": task_id, "limit": 1}
    connection.execute(sql.TAKE_SUSPECT, take)
    return cycle.claimed(connection, worker_id, seq)


def any_parked(connection: sqlite3.Connection, group: str, names: Collection[str]) -> bool:
    """Whether there is anything to take, found without the write lock."""
    return any(
        connection.execute(sql.FIRST_PARKED, {"group": group, "name": name, "limit": 1}).fetchone()
        for name in names
    )


def claim_parked(
    connection: sqlite3.Connection,
    worker_id: str,
    group: str,
    names: Collection[str],
    limit: int,
    seq: int,
    now: float,
) -> list[Task]:
    """The first parked tasks whose name is known."""
    found = [
        row
        for name in names
        for row in connection.execute(
            sql.FIRST_PARKED, {"group": group, "name": name, "limit": limit}
        ).fetchall()
    ]
    for _, _, task_id, _ in sorted(found)[:limit]:
        take = {"worker": worker_id, "seq": seq, "now": now, "group": group, "id": task_id}
        connection.execute(sql.TAKE_ONE_PARKED, take | {"limit": 1})
    return cycle.claimed(connection, worker_id, seq)


def release(
    connection: sqlite3.Connection,
    worker_id: str,
    claims: Sequence[Task],
    parked: bool,
    now: float,
) -> int:
    """Give claims back."""
    released: list[str] = []
    for task in claims:
        fence = {"id": task.id, "attempt": task.attempt, "worker": worker_id, "parked": parked}
        if connection.execute(sql.RELEASE, fence).rowcount:
            released.append(task.id)
    cycle.wait_again(connection, released, now)
    return len(released)


def cancel(
    connection: sqlite3.Connection, ids: Collection[str], by: str, now: float
) -> dict[str, TaskState]:
    """Cancel what waits, ask what runs."""
    states: dict[str, TaskState] = {}
    for task_id in dict.fromkeys(ids):
        connection.execute(sql.ASK_CANCEL, {"id": task_id, "by": by, "now": now})
        connection.execute(sql.CANCEL_WAITING, {"id": task_id, "now": now})
        row = connection.execute(sql.STATE, (task_id,)).fetchone()
        if row is not None:
            states[task_id] = TaskState(row[0])
    return states


def retry(connection: sqlite3.Connection, ids: Collection[str], now: float) -> list[str]:
    """Queue finished tasks again; the groups of those that were."""
    groups: list[str] = []
    for task_id in dict.fromkeys(ids):
        if connection.execute(sql.RENEW_TASK, {"id": task_id, "now": now}).rowcount:
            puts.rebind(connection, [task_id], now)
            groups.append(connection.execute(sql.GROUP_OF, (task_id,)).fetchone()[0])
    return groups


def discard(connection: sqlite3.Connection, ids: Collection[str]) -> int:
    """Delete what is not running."""
    discarded = 0
    for task_id in dict.fromkeys(ids):
        if connection.execute(sql.DISCARD, (task_id,)).rowcount:
            connection.execute(sql.FORGET_HISTORY, (task_id,))
            discarded += 1
    return discarded


def purge(connection: sqlite3.Connection, limit: int, now: float) -> list[str]:
    """Delete what is over, and give a bounded part of the file's free pages back; returns the ids."""
    ids = reads.disposable(connection, now, limit)
    connection.executemany(sql.PURGE, [(task_id,) for task_id in ids])
    connection.executemany(sql.FORGET_HISTORY, [(task_id,) for task_id in ids])
    connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
    return ids


def set_paused(
    connection: sqlite3.Connection, groups: Collection[str] | None, paused: bool
) -> None:
    """The last word on a group holds; the word on all is kept under the empty name."""
    if groups is None:
        connection.execute(sql.CLEAR_PAUSES)
        groups = [""] if paused else []
    connection.executemany(sql.SET_PAUSE, [(group, int(paused)) for group in groups])


def fire(
    connection: sqlite3.Connection,
    scheduler: str,
    expected: bytes | None,
    state: bytes,
    tasks: Sequence[Task],
    now: float,
) -> bool:
    """Compare, set and put."""
    row = connection.execute(sql.SCHEDULER_STATE, (scheduler,)).fetchone()
    if (None if row is None else row[0]) != expected:
        return False
    connection.execute(sql.SET_SCHEDULER, (scheduler, state))
    puts.put(connection, tasks, now)
    return True
