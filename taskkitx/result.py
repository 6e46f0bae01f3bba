"""A handle on one task's end: waiting for it, and reading what it came to."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from taskkitx import clock
from taskkitx.backend import Backend, Record
from taskkitx.errors import (
    Failed,
    NoResult,
    NotFound,
    ResultGetPrevented,
    ResultGetTimedOut,
    TaskCancelled,
    TaskDiscarded,
    TaskExpired,
)
from taskkitx.handler import TaskHandler
from taskkitx.task import TaskState

Out = TypeVar("Out")

FIRST_WAIT = 0.005
LONGEST_WAIT = 1.0

_here = threading.local()

_ENDINGS: dict[TaskState, type[Failed]] = {
    TaskState.FAILED: Failed,
    TaskState.DISCARDED: TaskDiscarded,
    TaskState.CANCELLED: TaskCancelled,
    TaskState.EXPIRED: TaskExpired,
}


@contextmanager
def prevent_to_wait_result() -> Generator[None]:
    """In this block, in this thread, `Result.get` refuses to wait: the thread it waits for may be this one."""
    before = getattr(_here, "prevented", False)
    _here.prevented = True
    try:
        yield
    finally:
        _here.prevented = before


class Result(Generic[Out]):
    """A handle on the task `id`; it costs nothing until asked."""

    def __init__(
        self,
        backend: Backend,
        handler: TaskHandler[Any, Out],
        task_id: str,
        *,
        record: Record | None = None,
    ) -> None:
        """`record` is the task's end where it is known already."""
        self.backend = backend
        self.handler = handler
        self.id = task_id
        self._end = record

    def __repr__(self) -> str:
        return f"Result({self.id!r})"

    @property
    def task_id(self) -> str:
        """The id, under taskkit's name."""
        return self.id

    @property
    def state(self) -> TaskState:
        """The task's state now. Raises NotFound."""
        return self.record().state

    def record(self) -> Record:
        """Everything the store knows of the task now. Raises NotFound."""
        if self._end is not None:
            return self._end
        record = self.backend.get_many([self.id]).get(self.id)
        if record is None:
            raise NotFound(f"no task {self.id}: it never existed, or it was purged after its ttl")
        if record.state.finished:
            self._end = record
        return record

    def peek(self) -> Out:
        """The value, without waiting. Raises NoResult when the task has not finished, else as `get`."""
        record = self.record()
        if not record.state.finished:
            raise NoResult(f"task {self.id} is {record.state.label}: it has no result yet")
        return self._value(record)

    def get(self, timeout: float | None = None, avoid_assertion: bool = False) -> Out:
        """The value, once the task has finished.

        Waits at most `timeout` seconds, or as long as it takes when None. Raises ResultGetTimedOut; NotFound; Failed
        or its subclasses TaskDiscarded, TaskCancelled, TaskExpired; and ResultGetPrevented inside a handler, unless
        `avoid_assertion` says that the task waited for runs elsewhere.
        """
        record = self.record()
        if not record.state.finished:
            if not avoid_assertion and getattr(_here, "prevented", False):
                raise ResultGetPrevented(
                    f"waiting for task {self.id} inside a handler could wait for ever: its thread may be this one; "
                    "pass avoid_assertion=True if another group runs it"
                )
            record = self._wait(timeout)
        return self._value(record)

    def _wait(self, timeout: float | None) -> Record:
        deadline = None if timeout is None else clock.monotonic() + timeout
        pause = FIRST_WAIT
        with self.backend.watch(self.id) as watch:
            # The task may have finished between the caller's look and the watch, hence look first, then wait.
            while not (record := self.record()).state.finished:
                left = LONGEST_WAIT if deadline is None else deadline - clock.monotonic()
                if left <= 0:
                    raise ResultGetTimedOut(
                        f"task {self.id} is still {record.state.label} after {timeout} s"
                    )
                watch.wait(min(pause, left))
                pause = min(pause * 2, LONGEST_WAIT)
        return record

    def _value(self, record: Record) -> Out:
        if record.state is TaskState.SUCCEEDED:
            return self.handler.decode_result(record.task, record.result or b"")
        message = record.error or f"task {self.id} was {record.state.label}"
        raise _ENDINGS[record.state](record.task, message)
