"""Verbs beside the hot path, each inside its caller's transaction."""

from collections.abc import Collection, Sequence

from taskkitx.backends.sql import cycle, puts, reads
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.session import Session, first
from taskkitx.task import Task, TaskState


def claim_solo(session: Session, worker_id: str, groups: Collection[str], seq: int) -> list[Task]:
    """The first suspect of these groups."""
    firsts = session.rows_each(sql.FIRST_SUSPECT, [{"group": group} for group in groups])
    found = [row for rows in firsts for row in rows]
    if not found:
        return []
    *_, task_id = cycle.ordered(found, tuple)[0]
    session.change(sql.TAKE_SUSPECT, {"worker": worker_id, "seq": seq, "id": task_id})
    return cycle.claimed(session, worker_id, seq)


def any_parked(session: Session, group: str, names: Collection[str]) -> bool:
    """Whether there is anything to take, found without a lock."""
    return any(session.rows_each(sql.ANY_PARKED, [{"group": group, "name": n} for n in names]))


def claim_parked(
    session: Session, worker_id: str, group: str, names: Collection[str], limit: int, seq: int
) -> list[Task]:
    """The first parked tasks whose name is known."""
    wanted = [{"group": group, "name": name, "limit": limit} for name in names]
    rows_of_each = session.rows_each(sql.FIRST_PARKED, wanted)
    found = cycle.ordered((row for rows in rows_of_each for row in rows), tuple)
    session.change_each(
        sql.TAKE_PARKED, [{"worker": worker_id, "seq": seq, "id": row[2]} for row in found[:limit]]
    )
    return cycle.claimed(session, worker_id, seq)


def release(session: Session, worker_id: str, claims: Sequence[Task], parked: bool) -> int:
    """Give claims back."""
    fences = [
        {**cycle.fence(worker_id, task), "parked": int(parked)}
        for task in sorted(claims, key=lambda task: task.id)
    ]
    changed = session.change_each(sql.RELEASE, fences)
    released = [str(fence["id"]) for fence, count in zip(fences, changed, strict=True) if count]
    cycle.wait_again(session, released)
    return len(released)


def cancel(
    session: Session, ids: Collection[str], by: str, states: Collection[TaskState] | None
) -> dict[str, TaskState]:
    """Cancel what waits, ask what runs."""
    wanted = [{"id": task_id, "by": by} for task_id in _those_in(session, ids, states)]
    session.change_each(sql.ASK_CANCEL, wanted)
    session.change_each(sql.CANCEL_WAITING, wanted)
    named = [{"id": task_id} for task_id in sorted(set(ids))]
    return {
        task["id"]: TaskState(first(found))
        for task, found in zip(named, session.rows_each(sql.STATE, named), strict=True)
        if found
    }


def retry(
    session: Session, ids: Collection[str], states: Collection[TaskState] | None
) -> list[str]:
    """Queue finished tasks again; the groups of those that were."""
    wanted = [{"id": task_id} for task_id in _those_in(session, ids, states)]
    changed = session.change_each(sql.RENEW_TASK, wanted)
    renewed = [task for task, count in zip(wanted, changed, strict=True) if count]
    puts.rebind(session, [task["id"] for task in renewed])
    return [first(found) for found in session.rows_each(sql.GROUP_OF, renewed)]


def discard(session: Session, ids: Collection[str], states: Collection[TaskState] | None) -> int:
    """Delete what is not running."""
    return len(_delete(session, sql.DISCARD, _those_in(session, ids, states)))


def _those_in(
    session: Session, ids: Collection[str], states: Collection[TaskState] | None
) -> list[str]:
    """The tasks that are in one of these states, held so that they stay there."""
    wanted = sorted(set(ids))
    if states is None:
        return wanted
    found = session.rows_each(sql.HOLD_STATE, [{"id": task_id} for task_id in wanted])
    return [id for id, rows in zip(wanted, found, strict=True) if rows and first(rows) in states]


def purge(session: Session, limit: int) -> list[str]:
    """Delete what is over; returns the ids."""
    return _delete(session, sql.PURGE, reads.disposable(session, limit, hold=True))


def _delete(session: Session, statement: str, ids: Sequence[str]) -> list[str]:
    deleted = session.change_each(statement, [{"id": task_id} for task_id in ids])
    gone = [task_id for task_id, count in zip(ids, deleted, strict=True) if count]
    session.change_each(sql.FORGET_HISTORY, [{"id": task_id} for task_id in gone])
    return gone


def set_paused(session: Session, groups: Collection[str] | None, paused: bool) -> None:
    """The last word on a group holds; the word on all is kept under the empty name."""
    if groups is None:
        session.change(sql.CLEAR_PAUSES)
        groups = [""] if paused else []
    session.change_each(
        sql.SET_PAUSE, [{"group": group, "paused": int(paused)} for group in sorted(groups)]
    )


def fire(
    session: Session, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
) -> bool:
    """Compare, set and put."""
    change = {"name": scheduler, "state": state}
    if expected is None:
        fired = session.unless_taken(sql.FIRST_STATE, change)
    else:
        fired = session.change(sql.NEXT_STATE, {**change, "expected": expected})
    if fired and tasks:
        puts.put(session, tasks)
    return bool(fired)
