"""One task as the memory store keeps it, and what each event of its life makes of it. Pure: a row in, a row out."""

import random
from dataclasses import dataclass, replace

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
from taskkitx.record import Attempt, Lost, Record
from taskkitx.task import Task, TaskState, UniqueUntil

BACK_OFF = 10.0
MOST_DOUBLINGS = 12
SOLO_FROM_LOST = 2
KEPT_ATTEMPTS = 100

_ENDS: dict[type[Outcome], TaskState] = {
    Succeeded: TaskState.SUCCEEDED,
    Failed: TaskState.FAILED,
    Discarded: TaskState.DISCARDED,
    Cancelled: TaskState.CANCELLED,
    Expired: TaskState.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One task."""

    task: Task
    put_at: float
    solo: bool = False
    """A suspect: wherever it would be queued or scheduled, it is SOLO."""
    history: tuple[Attempt, ...] = ()
    result: bytes | None = None
    error: str | None = None
    done: float | None = None
    disposable: float | None = None
    progress: str | None = None
    cancel_requested: float | None = None
    cancelled_by: str | None = None

    @property
    def state(self) -> TaskState:
        """The task's state."""
        return self.task.state

    @property
    def waits(self) -> bool:
        """Whether it is not running and has not finished."""
        return self.state < TaskState.RUNNING

    @property
    def record(self) -> Record:
        """What a reader gets."""
        return Record(
            task=self.task,
            result=self.result,
            error=self.error,
            done=self.done,
            disposable=self.disposable,
            progress=self.progress,
            cancel_requested=self.cancel_requested,
            cancelled_by=self.cancelled_by,
        )

    @property
    def claim_order(self) -> tuple[int, float, str]:
        """What claims are sorted by."""
        return -self.task.priority, self.task.due, self.task.id


def new(task: Task, now: float) -> Row:
    """A task that was just put."""
    due = now
    if task.state is TaskState.SCHEDULED:
        due = task.due if task.delay is None else now + task.delay
    return Row(replace(task, due=due, created=now, delay=None), put_at=now)


def binds(row: Row, now: float) -> bool:
    """Whether its unique key may stand in the way of another task's."""
    match row.task.unique_until:
        case UniqueUntil.QUEUED:
            return row.waits
        case UniqueUntil.STARTED:
            return row.waits and row.task.attempt == 0
        case UniqueUntil.WINDOW:
            return now < row.put_at + (row.task.unique_for or 0.0)
        case UniqueUntil.DONE | None:
            return not row.state.finished


def promoted(row: Row) -> Row:
    """Its time has come."""
    return replace(row, task=replace(row.task, state=TaskState.QUEUED))


def claimed(row: Row, worker_id: str, now: float) -> Row:
    """A worker took it."""
    task = replace(
        row.task,
        state=TaskState.RUNNING,
        attempt=row.task.attempt + 1,
        worker_id=worker_id,
        began=now,
    )
    return replace(row, task=task)


def finished(row: Row, outcome: Outcome, now: float) -> Row:
    """The attempt that owns it came to an outcome."""
    row = replace(row, solo=False, task=replace(row.task, loss=None))
    match outcome:
        case Retried():
            return _retried(row, outcome, now)
        case Failed():
            row = _remember(row, "failed", outcome.fault, now)
            return _ended(replace(row, error=outcome.fault.text), TaskState.FAILED, now)
        case Succeeded():
            return _ended(replace(row, result=outcome.result), TaskState.SUCCEEDED, now)
        case _:
            return _ended(row, _ENDS[type(outcome)], now)


def _retried(row: Row, outcome: Retried, now: float) -> Row:
    row = _remember(row, "retried", outcome.fault, now)
    task = replace(row.task, retry_count=row.task.retry_count + outcome.charged)
    return _waiting(replace(row, task=task), now, due=now + max(0.0, outcome.interval))


def released(row: Row, parked: bool, now: float) -> Row:
    """Its worker gave it back unstarted."""
    row = replace(row, task=replace(row.task, worker_id=None))
    if parked:
        row = replace(row, task=replace(row.task, state=TaskState.PARKED))
        return _unless_cancelled(row, now)
    return _waiting(row, now)


def freed(row: Row, now: float) -> Row:
    """It was taken back from a dead worker that it cannot have killed."""
    return _waiting(replace(row, task=replace(row.task, worker_id=None)), now)


def suspected(row: Row, loss: Lost, now: float) -> Row:
    """It may have killed its worker, or was running beside who did."""
    task = replace(row.task, worker_id=None, loss=loss.cause)
    return _waiting(replace(row, task=task, solo=row.solo or loss.alone), now)


def charged(row: Row, loss: Lost, now: float) -> Row:
    """It has killed its worker."""
    row = _remember(row, "crashed", Fault("crash", loss.cause, loss.trace), now)
    crashes = row.task.crashes + 1
    task = replace(row.task, worker_id=None, loss=loss.cause, crashes=crashes)
    due = now + BACK_OFF * 2 ** min(crashes - 1, MOST_DOUBLINGS) if loss.again else now
    return _waiting(replace(row, task=task, solo=True), now, due)


def vanished(row: Row, loss: Lost, now: float) -> Row:
    """Its worker vanished together with its host."""
    row = _remember(row, "lost", Fault("lost", loss.cause, loss.trace), now)
    lost = row.task.lost + 1
    task = replace(row.task, worker_id=None, loss=loss.cause, lost=lost)
    # Full jitter, so that the tasks that vanished together do not meet again.
    due = now + random.uniform(0.0, BACK_OFF * 2 ** min(lost - 1, MOST_DOUBLINGS))
    return _waiting(replace(row, task=task, solo=row.solo or lost >= SOLO_FROM_LOST), now, due)


def cancelled(row: Row, by: str, now: float) -> Row:
    """Somebody wants it not to be run."""
    if row.state.finished:
        return row
    if row.cancel_requested is None:
        row = replace(row, cancel_requested=now, cancelled_by=by)
    return _unless_cancelled(row, now) if row.waits else row


def renewed(row: Row, now: float) -> Row:
    """A person wants a finished task to be run again."""
    task = replace(
        row.task,
        state=TaskState.QUEUED,
        due=now,
        retry_count=0,
        crashes=0,
        lost=0,
        loss=None,
        expires=None,
    )
    return Row(task, put_at=row.put_at, history=row.history)


def _waiting(row: Row, now: float, due: float | None = None) -> Row:
    """It waits again, until `due`; None: it was claimed once already, so it is due."""
    state = TaskState.QUEUED if due is None or due <= now else TaskState.SCHEDULED
    if row.solo:
        state = TaskState.SOLO
    task = replace(row.task, state=state, due=row.task.due if due is None else due)
    return _unless_cancelled(replace(row, task=task), now)


def _unless_cancelled(row: Row, now: float) -> Row:
    return row if row.cancel_requested is None else _ended(row, TaskState.CANCELLED, now)


def _ended(row: Row, state: TaskState, now: float) -> Row:
    task = replace(row.task, state=state)
    return replace(row, task=task, done=now, disposable=now + task.ttl)


def _remember(row: Row, state: str, fault: Fault, now: float) -> Row:
    attempt = Attempt(
        attempt=row.task.attempt,
        worker_id=row.task.worker_id,
        began=row.task.began,
        ended=now,
        state=state,
        kind=fault.kind,
        message=fault.message,
        trace=fault.trace,
    )
    return replace(row, history=(*row.history, attempt)[-KEPT_ATTEMPTS:])
