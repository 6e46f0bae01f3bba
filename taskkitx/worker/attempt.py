"""One attempt of one task: decide whether to run it, run it, say what it came to. Nothing here writes to a store."""

import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from taskkitx.errors import AttemptInterrupted, CancelRequested, DiscardTask
from taskkitx.handler import Limits, TaskHandler
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
from taskkitx.task import Task

MAX_TRACE = 16_384
MAX_MESSAGE = 1_000
RETRY_AFTER_BROKEN_POLICY = 10.0
MOST_RETRIES_AFTER_BROKEN_POLICY = 10

Handler = TaskHandler[Any, Any]


def refuse(handler: Handler, task: Task, limits: Limits) -> Outcome | None:
    """The outcome of a claimed task that must not be started, or None: start it."""
    if _expired(task):
        return Expired(task)
    if task.loss is None:
        return None
    if task.crashes >= limits.max_crashes:
        return Failed(task, Fault("crash", f"crashed {task.crashes} times, at last: {task.loss}"))
    if limits.at_most_once or limits.on_crash == "fail":
        return Failed(task, Fault("lost", f"its worker died while it ran: {task.loss}"))
    return _ask_about_loss(handler, task, task.loss)


def _expired(task: Task) -> bool:
    """Whether its first start comes too late; both times are the store's."""
    return (
        task.expires is not None
        and task.retry_count == 0
        and (task.began or 0.0) > task.created + task.expires
    )


def _ask_about_loss(handler: Handler, task: Task, loss: str) -> Outcome | None:
    on_worker_lost = getattr(handler, "on_worker_lost", None)
    if on_worker_lost is None:
        return None
    fault = Fault("lost", f"its worker died while it ran: {loss}")
    try:
        interval = on_worker_lost(task, loss)
        seconds = None if interval is None else float(interval)
    except BaseException as error:  # noqa: BLE001  # the handler's own policy failed: the safe answer is to wait
        return _after_broken_policy(task, fault_of(error))
    if seconds is None:
        return Failed(task, fault)
    return Retried(task, seconds, fault, charged=False) if seconds > 0 else None


def run(
    handler: Handler,
    task: Task,
    before: Callable[[Task], None] | None,
    end: Callable[[], None],
    max_result_bytes: int,
) -> Outcome:
    """Run the handler, after its `before` hook, and say what it came to.

    `end` is called once the handler can do no more harm or good; it may raise an interruption that came too late to
    reach the handler. The caller keeps the thread from waiting for results (`prevent_to_wait_result`). Never raises:
    SystemExit, KeyboardInterrupt and GeneratorExit in a handler are failures.
    """
    try:
        try:
            if before is not None:
                before(task)
            value = handler.handle(task)
        finally:
            end()
    except DiscardTask:
        return Discarded(task)
    except CancelRequested:
        return Cancelled(task)
    except BaseException as error:  # noqa: BLE001  # whatever a handler raises is its task's failure, not ours
        return after_failure(handler, task, error)
    return _encoded(handler, task, value, max_result_bytes)


def _encoded(handler: Handler, task: Task, value: Any, max_result_bytes: int) -> Outcome:
    """The handler has done its work, so a result that cannot be kept fails the task rather than run it again."""
    try:
        result = handler.encode_result(task, value)
    except BaseException as error:  # noqa: BLE001  # encode_result is the application's
        fault = fault_of(error)
        return Failed(
            task, Fault(fault.kind, f"its result cannot be encoded: {fault.message}", fault.trace)
        )
    if not isinstance(result, bytes):
        return Failed(
            task, Fault("TypeError", f"encode_result returned {type(result).__name__}, not bytes")
        )
    if len(result) > max_result_bytes:
        return Failed(
            task,
            Fault(
                "ResultTooLarge",
                f"its result has {len(result)} bytes, more than {max_result_bytes}",
            ),
        )
    return Succeeded(task, result)


def after_failure(handler: Handler, task: Task, error: BaseException) -> Outcome:
    """Ask the handler's policy what becomes of a failed attempt."""
    fault = fault_of(error)
    try:
        interval = handler.get_retry_interval(task, error)
        if interval is None:
            return Failed(task, fault)
        return Retried(task, max(0.0, float(interval)), fault)
    except DiscardTask:
        return Discarded(task)
    except BaseException as broken:  # noqa: BLE001  # a broken policy must not lose the task
        return _after_broken_policy(task, fault_of(broken))


def _after_broken_policy(task: Task, fault: Fault) -> Outcome:
    if task.retry_count >= MOST_RETRIES_AFTER_BROKEN_POLICY:
        return Failed(task, fault)
    return Retried(task, RETRY_AFTER_BROKEN_POLICY, fault)


def fault_of(error: BaseException) -> Fault:
    """What is kept of an exception: type, first line, the tail of its traceback."""
    kind = type(error)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    try:
        message = str(error)
    except BaseException as broken:  # noqa: BLE001  # a __str__ that raises is the application's, and no reason to stop
        message = f"(its message cannot be shown: {type(broken).__name__})"
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException as broken:  # noqa: BLE001  # the same, deeper in its chain of causes
        trace = f"(its traceback cannot be shown: {type(broken).__name__})"
    return Fault(name, message[:MAX_MESSAGE], trace[-MAX_TRACE:])


class Current:
    """The attempt a thread is running, as its handler may see it. Made anew for each attempt."""

    __slots__ = (
        "abandoned",
        "cancelled",
        "deadline",
        "fresh_progress",
        "ident",
        "interrupt_on_cancel",
        "interrupted",
        "lease_lost",
        "lock",
        "over",
        "reported",
        "task",
        "timeout",
    )

    def __init__(
        self,
        task: Task,
        deadline: float,
        lease_lost: Callable[[], bool],
        interrupt_on_cancel: bool = False,
        timeout: float | None = None,
    ) -> None:
        """`deadline` is when its hard limit, `timeout` seconds, is reached, in monotonic seconds, 0 for none.

        Made by the thread that runs the attempt.
        """
        self.task = task
        self.ident = threading.get_ident()
        self.interrupt_on_cancel = interrupt_on_cancel
        self.deadline = deadline
        self.timeout = timeout
        self.lease_lost = lease_lost
        self.cancelled = False
        self.fresh_progress: str | None = None
        self.reported = False
        """Whether some of its progress has been written."""
        self.over = False
        self.interrupted = False
        self.abandoned = False
        self.lock = threading.Lock()

    def progress(self, progress: str) -> None:
        """Keep the latest progress (JSON); the worker writes it a few times a second at most."""
        self.fresh_progress = progress

    def cancel_requested(self) -> bool:
        """Whether somebody asked to cancel this task, as far as the worker has heard."""
        return self.cancelled


_here = threading.local()


def current() -> Current | None:
    """The attempt this thread is running; None outside a handler."""
    return getattr(_here, "current", None)


def enter(attempt: Current) -> None:
    """From now on this thread runs `attempt`."""
    _here.current = attempt


def leave() -> None:
    """This thread runs no attempt any more."""
    _here.current = None


@contextmanager
def entered(attempt: Current) -> Generator[None]:
    """In this block this thread runs `attempt`, and afterwards what it ran before."""
    outer = current()
    enter(attempt)
    try:
        yield
    finally:
        _here.current = outer


__all__ = [
    "AttemptInterrupted",
    "Current",
    "after_failure",
    "current",
    "enter",
    "entered",
    "fault_of",
    "leave",
    "refuse",
    "run",
]
