"""The port to a store, as verbs. What each verb promises is written here and proven by `taskkitx.testing`'s
conformance suite; how a store keeps the promise is its own business.

Rules for all verbs. Times are compared by the store's clock inside the store; durations travel as durations.
Batch verbs are the real ones. An empty batch does nothing and costs no round trip. Each verb is atomic: after an
exception either all of it happened or nothing did, and repeating it is safe. Trouble with the store raises
StoreUnavailable (may work later) or StoreRefused (never will); nothing else escapes but programming errors.
Verbs may be called from any thread. A backend is used only in the process that opened it: connections are opened
lazily, `close()` before a fork, and a child opens its own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self

from taskkitx.outcome import Outcome
from taskkitx.task import Task, TaskState


class Put(NamedTuple):
    """What putting one task came to."""

    id: str
    """The task that now stands: the new one's id, or that of the one already there."""
    created: bool


class Exchanged(NamedTuple):
    """What one exchange came to."""

    accepted: Collection[str]
    """Ids of the outcomes that are written, now or by an earlier call whose reply was lost."""
    claims: list[Task]
    """Newly claimed tasks in order of (priority, due, id) per group, `attempt` and `worker_id` set."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that did not succeed."""

    attempt: int
    worker_id: str | None
    began: float | None
    ended: float
    state: str
    """What it ended in: retried, failed, crashed, lost."""
    kind: str
    message: str
    trace: str


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the store knows of one task."""

    task: Task
    result: bytes | None = None
    error: str | None = None
    """Why it failed, one line first, traceback after."""
    done: float | None = None
    """When it finished."""
    disposable: float | None = None
    """When it may be purged."""
    progress: str | None = None
    """JSON as written by `progress`."""
    cancel_requested: float | None = None
    cancelled_by: str | None = None

    @property
    def state(self) -> TaskState:
        """The task's state."""
        return self.task.state


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker process as the store knows it."""

    id: str
    instance: str = ""
    """The supervisor's instance name."""
    host: str = ""
    pid: int = 0
    boot_id: str = ""
    pid_namespace: str = ""
    pid_started: float = 0.0
    """The pid's start time in clock ticks since boot, which tells it from a later process with the same pid."""
    started: float = 0.0
    """When it registered, by the store's clock."""
    lease_left: float = 0.0
    """Seconds until its lease ends; negative when it has ended. Only in what `workers` returns."""
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What its keeper reports for people: groups, threads, what each thread runs, rates."""


class Lost(NamedTuple):
    """How a task's worker died, for the tasks that `restore` charges."""

    cause: str
    """One line: killed by signal 11 (SIGSEGV), exited with code 3, exceeded its timeout of 5 s, host gone."""
    trace: str = ""
    """The tail of the crash file, when there is one."""


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks `list_tasks` returns; None means any."""

    states: frozenset[TaskState] | None = None
    group: str | None = None
    name: str | None = None
    finished_before: float | None = None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One group's figures; counts stop at the cap they were asked with."""

    group: str
    counts: Mapping[TaskState, int]
    oldest_due: float | None
    """Age in seconds of the queued task that has been due longest."""
    paused: bool


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
        stands. State QUEUED means due at the store's now; SCHEDULED means `due` (or now + `delay`).
        With `connection` the tasks are part of the caller's transaction and the hint goes out after its commit.
        """
        ...

    # The worker's cycle

    def claim(self, worker_id: str, wanted: Mapping[str, int]) -> list[Task]:
        """Make due tasks of these groups queued, then take up to n per group: the exchange without outcomes."""
        ...

    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        """Write outcomes, each if (id, attempt, worker) still owns the running task: the exchange without claims."""
        ...

    def exchange(
        self, worker_id: str, outcomes: Sequence[Outcome], wanted: Mapping[str, int]
    ) -> Exchanged:
        """Write outcomes and claim, in one transaction.

        An outcome whose fence no longer holds is refused and changes nothing, unless this very attempt of this
        worker had already been written. Claims only QUEUED tasks of groups that are not paused, by (priority
        descending, due, id); attempt + 1. A Retried task becomes queued (interval <= 0) or scheduled.
        """
        ...

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        """Take one SOLO task of these groups, in the same order."""
        ...

    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        """Give unstarted claims back as queued (or parked: its name is unknown here), fenced; nothing is charged.

        Returns how many were given back.
        """
        ...

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        """Take up to `limit` PARKED tasks of a group whose name is among `names`."""
        ...

    def owned(self, worker_id: str, older_than: float) -> list[tuple[str, int]]:
        """(id, attempt) of running tasks this worker is said to have claimed more than `older_than` seconds ago."""
        ...

    def next_due(self, groups: Collection[str]) -> float | None:
        """Seconds until the next scheduled task of these groups is due (<= 0: now); None when there is none."""
        ...

    def persist(self) -> None:
        """Return when everything this process committed would survive a power loss."""
        ...

    def progress(self, worker_id: str, task: Task, progress: str) -> bool:
        """Write a running attempt's progress, fenced; False: not yours any more, or its cancel is requested."""
        ...

    def cancel_requested(self, worker_id: str) -> Collection[str]:
        """Ids of this worker's running tasks that somebody asked to cancel."""
        ...

    # Leases

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        """Make the worker known, its lease ending in `ttl` seconds, before it claims anything."""
        ...

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        """Extend these workers' leases and replace their info; returns the ids that are still known."""
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

        `charged`: crashes + 1, `loss` and history written, due after a back-off of 10 s * 2**(crashes - 1).
        `suspects`: become SOLO, `loss` set, nothing charged. `lost`: the worker vanished with its host: lost + 1,
        `loss` and history written, a back-off with full jitter; from the second time on SOLO. Every other task is
        queued at once, nothing charged. When no running task is left, the worker is forgotten in the same
        transaction.
        """
        ...

    # Commands on tasks

    def cancel(self, ids: Collection[str], by: str = "") -> dict[str, TaskState]:
        """Cancel what waits, at once; ask for it where it runs. Returns the state each known task is in now."""
        ...

    def retry(self, ids: Collection[str]) -> int:
        """Queue finished tasks again, due now: retry_count, crashes and lost start again at 0, history is kept."""
        ...

    def discard(self, ids: Collection[str]) -> int:
        """Delete tasks that are not running, with their history; returns how many."""
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
        """Every group that has tasks or was paused, by name, each count stopped at `cap`."""
        ...

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        """From now on nothing is claimed for these groups (None: all). Kept in the store until resumed."""
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

    # Hints

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        """Call `on_work` with groups that may have work now (None: any), from a thread of the backend's own.

        Hints may be late, doubled or lost; whoever listens still polls.
        """
        ...

    def watch(self, task_id: str) -> Watch:
        """An interest in the end of one task."""
        ...
