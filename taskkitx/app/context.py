"""What a running function may know of its own attempt, and say about it: `current_task`."""

from collections.abc import Mapping
from typing import Any

from taskkitx import clock
from taskkitx.errors import CancelRequested, NotRunning
from taskkitx.result import Progress
from taskkitx.task import Task
from taskkitx.worker import attempt as attempts
from taskkitx.worker.attempt import Current

_NO_HEADERS: Mapping[str, str] = {}


class Context:
    """One attempt of one task."""

    __slots__ = ("_attempt", "_task")

    def __init__(self, task: Task | None, attempt: Current | None = None) -> None:
        """`attempt` None: it is over, or has not begun."""
        self._task = task
        self._attempt = attempt

    def __bool__(self) -> bool:
        """Whether there is a task at all."""
        return self._known is not None

    def __repr__(self) -> str:
        task = self._known
        return "<no task>" if task is None else f"<{task.name} {task.id} attempt {task.attempt}>"

    @property
    def _running(self) -> Current | None:
        return self._attempt

    @property
    def _known(self) -> Task | None:
        return self._task

    @property
    def task(self) -> Task:
        """The task as it was claimed. Raises NotRunning where there is none, as do all that read it."""
        task = self._known
        if task is None:
            raise NotRunning("this thread runs no task: a function called directly has no id")
        return task

    @property
    def id(self) -> str:
        """The task's id."""
        return self.task.id

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    @property
    def group(self) -> str:
        """The task's group."""
        return self.task.group

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1; it counts claims, not failures."""
        return self.task.attempt

    @property
    def retry_count(self) -> int:
        """How often the task has failed before; 0 also where there is no task."""
        return 0 if self._known is None else self.task.retry_count

    @property
    def fence(self) -> int:
        """A number that grows with every claim: a system that refuses lower ones is safe from attempts gone stale."""
        return self.task.attempt

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller sent along; empty where there is no task."""
        return _NO_HEADERS if self._known is None else self.task.headers or _NO_HEADERS

    @property
    def deadline(self) -> float | None:
        """When the hard time limit is reached, in UNIX seconds; None without one."""
        running = self._running
        if running is None or not running.deadline:
            return None
        return clock.now() + running.deadline - clock.monotonic()

    @property
    def lease_lost(self) -> bool:
        """Whether another worker may own the task by now: what this attempt still does may be done twice."""
        running = self._running
        return running is not None and (running.abandoned or running.lease_lost())

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to cancel the task, as far as this worker has heard."""
        running = self._running
        return running is not None and running.cancel_requested()

    def check_cancelled(self) -> None:
        """Raise CancelRequested if somebody asked to cancel the task: let it pass, and the task ends cancelled."""
        if self.cancelled:
            raise CancelRequested(f"task {self.id} was cancelled while it ran")

    def progress(self, current: float, total: float | None = None, note: str | None = None) -> None:
        """Say how far the task is; as often as you like, the store hears of it at most four times a second."""
        running = self._running
        if running is not None:
            running.progress(Progress(current, total, note).to_json())

    def update_progress(self, percent: float) -> None:
        """`progress` in percent, as taskito has it."""
        self.progress(percent, 100)


class CurrentTask(Context):
    """The attempt that the calling thread runs, whichever it is."""

    __slots__ = ()

    def __init__(self) -> None:
        """One is enough for all threads."""
        super().__init__(None)

    @property
    def _running(self) -> Current | None:
        return attempts.current()

    @property
    def _known(self) -> Task | None:
        running = attempts.current()
        return None if running is None else running.task


current_task = CurrentTask()
"""The task that the calling thread runs."""


def context_of(task: Task) -> Context:
    """The context of this task for hooks: of its running attempt, where this thread runs it."""
    running: Any = attempts.current()
    return Context(task, running if running is not None and running.task is task else None)
