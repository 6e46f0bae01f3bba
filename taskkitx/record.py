"""What a store answers, and what it is asked with: plain records, the same on every store."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    """Newly claimed tasks as they are now, in order of (priority descending, due, id) per group."""


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
    """As in Fault: an exception's type, or crash or lost for what `restore` writes."""
    message: str
    trace: str


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the store knows of one task."""

    task: Task
    result: bytes | None = None
    error: str | None = None
    """Why it failed: the `text` of its fault. Only on failed tasks."""
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
    """How a task's worker died, for the tasks that `restore` takes back."""

    cause: str
    """One line: killed by signal 11 (SIGSEGV), exited with code 3, exceeded its timeout of 5 s, host gone."""
    trace: str = ""
    """The tail of the crash file, when there is one."""
    alone: bool = True
    """For a suspect: whether it runs alone from now on. False: it is innocent, and who claims it next must know that
    an attempt of it was cut short."""
    again: bool = True
    """For a charged task: whether it may run again. False: it has no crash left, so its failure needs no back-off."""


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
    """Age in seconds of the QUEUED task that has been due longest."""
    paused: bool
