"""The worker's cycle on a memory store: fencing, outcomes, promotion, claims. Called with the store's lock held."""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence

from taskkitx.backends.memory import row as rows
from taskkitx.backends.memory.row import Row
from taskkitx.backends.memory.store import MemoryStore
from taskkitx.outcome import Outcome
from taskkitx.task import Task, TaskState


def owned_row(store: MemoryStore, worker_id: str, claim: Task) -> Row | None:
    """The row of the task this claim still owns, if it does: the fence."""
    row = store.tasks.get(claim.id)
    if row is None or row.state is not TaskState.RUNNING:
        return None
    return row if _last_claim_is(row, worker_id, claim) else None


def write_outcomes(
    store: MemoryStore, worker_id: str, outcomes: Sequence[Outcome], now: float
) -> set[str]:
    """Write the outcomes whose fences hold, then put what follows them; the ids that are written, now or before."""
    accepted: set[str] = set()
    followers: list[Task] = []
    for outcome in outcomes:
        row = owned_row(store, worker_id, outcome.task)
        if row is not None:
            store.save([rows.finished(row, outcome, now)], now)
            followers += outcome.then
        if row is not None or _was_written(store, worker_id, outcome.task):
            accepted.add(outcome.task.id)
    store.put(followers, now)
    return accepted


def _was_written(store: MemoryStore, worker_id: str, claim: Task) -> bool:
    """Whether an outcome of this very claim was written by an earlier call, whose reply may have been lost.

    Taking a claim back or claiming anew changes worker or attempt. So if both are as they were and the task does not
    run, its own outcome has ended the attempt.
    """
    row = store.tasks.get(claim.id)
    return row is not None and _last_claim_is(row, worker_id, claim)


def _last_claim_is(row: Row, worker_id: str, claim: Task) -> bool:
    return (row.task.worker_id, row.task.attempt) == (worker_id, claim.attempt)


def claim_queued(
    store: MemoryStore, worker_id: str, wanted: Mapping[str, int], now: float
) -> list[Task]:
    """Take up to so many of each group, of what is queued or has become due."""
    claims: list[Task] = []
    for group, limit in wanted.items():
        if limit > 0:
            _promote(store, group, now)
            queued = claimable(store, {group}, TaskState.QUEUED)
            claims += claim(store, worker_id, queued, limit, now)
    return claims


def _promote(store: MemoryStore, group: str, now: float) -> None:
    due = [
        rows.promoted(row)
        for row in _in_state(store, {group}, TaskState.SCHEDULED)
        if row.task.due <= now
    ]
    store.save(due, now)


def claimable(store: MemoryStore, groups: Collection[str], state: TaskState) -> list[Row]:
    """The tasks in this state of those of these groups that are not paused."""
    awake = {group for group in groups if not store.is_paused(group)}
    return _in_state(store, awake, state)


def claim(
    store: MemoryStore, worker_id: str, among: Iterable[Row], limit: int, now: float
) -> list[Task]:
    """Take up to `limit` of these, in order."""
    first = heapq.nsmallest(limit, among, key=lambda row: row.claim_order)
    claims = [rows.claimed(row, worker_id, now) for row in first]
    store.save(claims, now)
    return [row.task for row in claims]


def _in_state(store: MemoryStore, groups: Collection[str], state: TaskState) -> list[Row]:
    return [row for row in store.tasks.values() if row.state is state and row.task.group in groups]
