"""The one typed object that says how tasks are encoded, run and retried. One handler serves a Kit."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import inf
from typing import Literal, Protocol, TypeVar, cast

from taskkitx.codec import JSONCodec
from taskkitx.errors import ConfigurationError, DiscardTask
from taskkitx.task import Task

__all__ = ["DiscardTask", "Limits", "TaskHandler", "limits_of"]

In_contra = TypeVar("In_contra", contravariant=True)
Out = TypeVar("Out")

_JSON = JSONCodec()


class TaskHandler(Protocol[In_contra, Out]):
    """How tasks are encoded, run and retried. Subclass it, or provide the same methods.

    A subclass must say how to `handle`; what it leaves out carries data and results as JSON and never retries.

    Optional methods, looked up by name: `get_limits(task) -> Limits` (time limits and crash policy);
    `on_worker_lost(task, lost: str) -> float | None` (a task whose worker died while it ran is about to be run
    again: seconds to wait first, or None to fail it; default: run it now); `knows(task) -> bool` and
    `known_names(group) -> Collection[str]` (what is not known is put back as parked, for a process that knows it);
    `before(task)`, part of the attempt, and `after(task, outcome)`, which changes nothing any more.
    """

    @abstractmethod
    def handle(self, task: Task) -> Out:
        """Run the task. Raise DiscardTask to drop it."""
        ...

    def get_retry_interval(self, task: Task, exception: BaseException) -> float | None:
        """Seconds until the next attempt after `handle` raised; None fails the task; DiscardTask drops it."""
        return None

    def encode_data(self, group: str, task_name: str, data: In_contra) -> bytes:
        """The bytes stored for `data`. Raise when it cannot be carried: nothing is put then."""
        return _JSON.encode(data)

    def encode_result(self, task: Task, result: Out) -> bytes:
        """The bytes stored for what `handle` returned. An error here fails the task: it has already run."""
        return _JSON.encode(result)

    def decode_result(self, task: Task, encoded: bytes) -> Out:
        """The value of stored result bytes."""
        return cast("Out", _JSON.decode(encoded))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one attempt of a task may take, and what becomes of it when it kills its process."""

    soft_timeout: float | None = None
    """Seconds until SoftTimeLimit is raised inside the handler's thread; None or 0: never."""
    timeout: float | None = None
    """Seconds until the attempt counts as failed and its process is replaced; None or 0: never."""
    max_crashes: int = 3
    """How many processes it may kill before it fails for good."""
    on_crash: Literal["retry", "fail"] = "retry"
    at_most_once: bool = False
    """Never run it a second time once an attempt may have started."""
    interrupt_on_cancel: bool = False
    """Raise CancelRequested inside the handler's thread when somebody cancels it, instead of waiting to be asked."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what no attempt could be held to."""
        for name in ("soft_timeout", "timeout"):
            seconds = cast("object", getattr(self, name))
            if seconds is not None and not (
                isinstance(seconds, int | float) and 0 <= seconds < inf
            ):
                raise ConfigurationError(f"{name} is {seconds!r}: it is seconds, or None")
        most = cast("object", self.max_crashes)
        if not isinstance(most, int) or most < 1:
            raise ConfigurationError(f"max_crashes is {most!r}: it is a whole number above 0")
        if self.on_crash not in ("retry", "fail"):
            raise ConfigurationError(f"on_crash is {self.on_crash!r}: it is retry or fail")


NO_LIMITS = Limits()


def limits_of(handler: object, task: Task) -> Limits:
    """The handler's limits for a task, `task.timeout` over all; the defaults where the handler names none."""
    get_limits = getattr(handler, "get_limits", None)
    limits = NO_LIMITS if get_limits is None else get_limits(task) or NO_LIMITS
    if task.timeout is None or task.timeout == limits.timeout:
        return limits
    return replace(limits, timeout=task.timeout)
