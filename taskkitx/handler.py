"""The one typed object that says how tasks are encoded, run and retried. One handler serves a Kit."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from taskkitx.errors import DiscardTask
from taskkitx.task import Task

__all__ = ["DiscardTask", "Limits", "TaskHandler", "limits_of"]

In_contra = TypeVar("In_contra", contravariant=True)
Out = TypeVar("Out")


class TaskHandler(Protocol[In_contra, Out]):
    """How tasks are encoded, run and retried. Subclass it, or provide the same methods.

    Optional methods, looked up by name: `get_limits(task) -> Limits` (time limits and crash policy) and
    `on_worker_lost(task, lost: str) -> float | None` (a task whose worker died while it ran is about to be run
    again: seconds to wait first, or None to fail it; default: run it now).
    """

    def handle(self, task: Task) -> Out:
        """Run the task. Raise DiscardTask to drop it."""
        ...

    def get_retry_interval(self, task: Task, exception: BaseException) -> float | None:
        """Seconds until the next attempt after `handle` raised; None fails the task; DiscardTask drops it."""
        ...

    def encode_data(self, group: str, task_name: str, data: In_contra) -> bytes:
        """The bytes stored for `data`. Raise when it cannot be carried: nothing is put then."""
        ...

    def encode_result(self, task: Task, result: Out) -> bytes:
        """The bytes stored for what `handle` returned. An error here fails the task: it has already run."""
        ...

    def decode_result(self, task: Task, encoded: bytes) -> Out:
        """The value of stored result bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one attempt of a task may take, and what becomes of it when it kills its process."""

    soft_timeout: float | None = None
    """Seconds until SoftTimeLimit is raised inside the handler's thread."""
    timeout: float | None = None
    """Seconds until the attempt counts as failed and its process is replaced."""
    max_crashes: int = 3
    """How many processes it may kill before it fails for good."""
    on_crash: Literal["retry", "fail"] = "retry"
    at_most_once: bool = False
    """Never run it a second time once an attempt may have started."""


NO_LIMITS = Limits()


def limits_of(handler: object, task: Task) -> Limits:
    """The handler's limits for a task, `task.timeout` over all; the defaults where the handler names none."""
    get_limits = getattr(handler, "get_limits", None)
    limits = NO_LIMITS if get_limits is None else get_limits(task) or NO_LIMITS
    if task.timeout is None or task.timeout == limits.timeout:
        return limits
    return Limits(
        limits.soft_timeout, task.timeout, limits.max_crashes, limits.on_crash, limits.at_most_once
    )
