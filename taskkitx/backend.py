"""The port to a store, as verbs. What each verb promises is written here and proven by `taskkitx.testing`'s
conformance suite; how a store keeps the promise is its own business.

Rules for all verbs. Times are compared by the store's clock inside the store; durations travel as durations.
Batch verbs are the real ones. An empty batch does nothing and costs no round trip. Each verb is atomic: after an
exception either all of it happened or nothing did, and repeating it is safe. Trouble with the store raises
StoreUnavailable (may work later) or StoreRefused (never will); nothing else escapes but programming errors.
Verbs may be called from any thread. A backend is used only in the process that opened it: connections are opened
lazily, `close()` before a fork, and a child opens its own.

A task *waits* while it is scheduled, queued, solo, parked or blocked. A task whose cancel was requested never waits
again: where a retry, `release` or `restore` would let it wait, it is cancelled instead.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, Self

from taskkitx.outcome import Outcome
from taskkitx.record import (
    Attempt,
    Exchanged,
    GroupStatus,
    Lost,
    Put,
    Record,
    TaskFilter,
    WorkerRecord,
)
from taskkitx.task import Task, TaskState


class Subscription(Protocol):
    """An open interest in hints; leaving it or `close` ends it."""

    def close(self) -> None:
        """End the interest; returns when no further call will be made."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class Watch(Subscription, Protocol):
    """An open interest in one task's end."""

    def wait(self, timeout: float) -> None:
        """Return when the task may have finished, at the latest after `timeout` seconds."""
        ...


class Backend(Protocol):
    """A store as a set of verbs."""

    @property
    def url(self) -> str:
        """What `taskkitx.connect` needs to reach the same store, password included."""
        ...

    def now(self) -> float:
        """The store's clock."""
        ...

    def open(self) -> None:
        """Reach the store and check its schema now rather than at the first verb.

        Raises StoreUnavailable, or SchemaMismatch naming the command that helps.
        """
        ...

    def close(self) -> None:
        """Close every connection of this process; the next verb opens anew. Hints' subscriptions end."""
        ...

    # Tasks come in

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        """Store new tasks, all or none; one answer per task, in order.

        A task whose id already stands, or whose unique key is bound, is not stored: the answer names the one that
        stands (by id first), be it an earlier one of the same batch. State QUEUED means due at the store's now;
        SCHEDULED means `due` (or now + `delay`). `created` becomes the store's now, `delay` is not kept.
        A unique key binds at most one task at a time, as long as its `unique_until` says (None: DONE) and the task
        exists. A task that waits again takes its key again if it may and nobody else has; without it, it waits too.
        What is read shows a task's key at least while it binds.
        With `connection` the tasks are part of the caller's transaction and the hint goes out after its commit.
        """
        ...

    # The worker's cycle

    def claim(self, worker_id: str, wanted: Mapping[str, int]) -> list[Task]:
        """Make due tasks of these groups queued, then take up to n > 0 per group: the exchange without outcomes."""
        ...

    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        """Write outcomes, each if (id, attempt, worker) still owns the running task: the exchange without claims."""
        ...

    def exchange(
        self, worker_id: str, outcomes: Sequence[Outcome], wanted: Mapping[str, int]
    ) -> Exchanged:
        """Write outcomes and claim, in one transaction.

        An outcome whose fence no longer holds is refused and changes nothing, unless this very attempt of this
        worker had already been written. `then` tasks are put after all outcomes, by the rules of `put`. Claims only
        QUEUED tasks of groups that are not paused, by (priority descending, due, id); attempt + 1. A Retried task
        becomes queued (interval <= 0) or scheduled. Outcomes end `loss` and clear nothing else of the past: a finished
        task keeps `attempt`, `worker_id` and `began`. Retried and Failed write history. Whether the outcomes or the
        claims come first is left to the store.
        """
        ...

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        """Take one SOLO task that is due of these groups unless paused, in the same order.

        It stays solo, released or restored, until an outcome of it is accepted: then it has proven harmless.
        """
        ...

    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        """Give unstarted claims back as queued (or parked: its name is unknown here), fenced; nothing is charged.

        `attempt`, `due` and `loss` stay, `worker_id` becomes None: a finish of this attempt is refused from now on.
        A solo task goes back to SOLO. Returns how many were given back.
        """
        ...

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        """Take up to `limit` PARKED tasks, whose name is among `names`, of a group unless paused, in the same order."""
        ...

    def owned(self, worker_id: str, older_than: float) -> list[tuple[str, int]]:
        """(id, attempt) of running tasks this worker is said to have claimed more than `older_than` seconds ago."""
        ...

    def next_due(self, groups: Collection[str]) -> float | None:
        """Seconds until the next scheduled task of these groups is due (<= 0: now); None when there is none.

        Never <= 0 for what the last claim for these groups already found due: a paused group keeps nobody awake.
        """
        ...

    def persist(self) -> None:
        """Return when everything this process committed would survive a power loss."""
        ...

    def progress(self, worker_id: str, task: Task, progress: str) -> bool:
        """Write a running attempt's progress, fenced.

        False: nothing was written, it is not yours any more or its cancel is requested.
        """
        ...

    def cancel_requested(self, worker_id: str) -> Collection[str]:
        """Ids of this worker's running tasks that somebody asked to cancel."""
        ...

    # Leases

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        """Make the worker known, its lease ending in `ttl` seconds, before it claims anything.

        `started` becomes the store's now. Registering again replaces what was known.
        """
        ...

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        """Extend these workers' leases and replace their info; returns the ids that are still known.

        A lease that has ended is extended too, as long as the worker is known; an unknown one is not made known.
        """
        ...

    def deregister(self, worker_ids: Collection[str]) -> None:
        """Forget workers that own no running task; the others stay until `restore` has taken their tasks back."""
        ...

    def workers(self) -> list[WorkerRecord]:
        """All known workers, oldest first."""
        ...

    def expired_workers(self) -> list[str]:
        """Ids that own running tasks or are known, and whose lease has ended or was never there."""
        ...

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        """Take up to `limit` running tasks of a dead worker back; returns how many, so 0 says all is done.

        `charged` (by task id): crashes + 1, `loss` and history (crashed) written, solo, due after a back-off of
        10 s * 2**(crashes - 1), or at once unless its Lost says `again`. `suspects` (by task id): `loss` set, nothing
        charged, solo unless their Lost does not say `alone`. `lost`: the worker
        vanished with its host and so did every other task: lost + 1, `loss` and history (lost) written, due after a
        random part of 10 s * 2**(lost - 1), solo from the second time on. Without `lost`, every other task is queued
        at once, nothing charged, `loss` kept. Where no back-off is named, `due` is kept. `worker_id` becomes None.
        When no running task is left, the worker is forgotten in the same transaction.
        """
        ...

    # Commands on tasks

    def cancel(
        self, ids: Collection[str], by: str = "", *, states: Collection[TaskState] | None = None
    ) -> dict[str, TaskState]:
        """Cancel what waits, at once; ask for it where it runs; only tasks in one of these `states` (None: any).

        Returns the state each known task is in now. Who asked first, and when, is kept.
        """
        ...

    def retry(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        """Queue finished tasks again, due now, if they are in one of these `states` (None: any); returns how many.

        retry_count, crashes and lost start again at 0; attempt and history go on; what the task had come to, its
        progress, cancel and `expires` are cleared.
        """
        ...

    def discard(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        """Delete tasks that do not run, if in one of these `states` (None: any), with history; returns how many."""
        ...

    # Reads

    def get_many(self, ids: Collection[str]) -> dict[str, Record]:
        """The records of these ids; unknown ones are missing."""
        ...

    def attempts(self, task_id: str) -> list[Attempt]:
        """The attempts that did not succeed, oldest first (at most the last 100)."""
        ...

    def list_tasks(
        self, which: TaskFilter, *, limit: int = 50, after: str | None = None
    ) -> list[Record]:
        """Up to `limit` tasks, newest id first, those below `after`; results and data included."""
        ...

    def groups(self, cap: int = 10_000) -> list[GroupStatus]:
        """Every group that has tasks or is paused by name, in order of name, each count stopped at `cap`."""
        ...

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        """From now on nothing is claimed for these groups (None: all, future ones too). Kept until resumed.

        The last word on a group holds: after `pause(None)`, `resume(["a"])` lets `a` run and nothing else.
        """
        ...

    def resume(self, groups: Collection[str] | None) -> None:
        """Undo `pause`, for these groups (None: all)."""
        ...

    # Schedules

    def scheduler_state(self, scheduler: str) -> bytes | None:
        """What the last successful `fire` stored for this scheduler."""
        ...

    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        """If the scheduler's state still equals `expected`, replace it and put the tasks, in one transaction."""
        ...

    # Retention

    def purge(self, limit: int = 1000) -> int:
        """Delete up to `limit` finished tasks whose ttl has passed, with their history, oldest first."""
        ...

    # Health

    def alarms(self) -> list[str]:
        """What is wrong with the store itself, for people: one line each, with what to do about it."""
        ...

    # Hints

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        """Call `on_work` with groups that may have work now (None: any), from a thread of the backend's own.

        Hints may be late, doubled or lost; whoever listens still polls.
        """
        ...

    def watch(self, task_id: str) -> Watch:
        """An interest in the end of one task."""
        ...
