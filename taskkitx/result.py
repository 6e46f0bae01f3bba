"""A handle on one task's end: waiting for it, and reading what it came to."""

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from taskkitx import clock, log
from taskkitx.backend import Backend
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
from taskkitx.outcome import Cancelled
from taskkitx.process import user_at_host
from taskkitx.record import Attempt, Record
from taskkitx.task import TaskState

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Out = TypeVar("Out")

FIRST_WAIT = 0.005
LONGEST_WAIT = 1.0
AWAITING_THREADS = 32
"""That many `await`ed results are watched at a time in one process; more take turns."""

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


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running task says it is."""

    current: float
    total: float | None = None
    note: str | None = None

    def to_json(self) -> str:
        """As stores keep it."""
        return json.dumps({"current": self.current, "total": self.total, "note": self.note})

    @classmethod
    def from_json(cls, text: str) -> "Progress":
        """What `to_json` wrote."""
        return cls(**json.loads(text))


class Result(Generic[Out]):
    """A handle on the task `id`; it costs nothing until asked. In a coroutine, `await` it."""

    def __init__(
        self,
        backend: Backend,
        handler: TaskHandler[Any, Out],
        task_id: str,
        *,
        record: Record | None = None,
        created: bool = True,
    ) -> None:
        """`record` is the task's end where it is known already."""
        self.backend = backend
        self.handler = handler
        self.id = task_id
        self.created = created
        """False: the task stood already, for the same unique key, and no new one was put."""
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

    @property
    def progress(self) -> Progress | None:
        """What the task last reported of itself. Raises NotFound."""
        progress = self.record().progress
        return None if progress is None else Progress.from_json(progress)

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that did not succeed, oldest first: when, by which worker, exception type and traceback."""
        return self.backend.attempts(self.id)

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

    # Its end

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
        deadline = _deadline(timeout)
        record = self.record()
        if not record.state.finished:
            self._check_waiting(avoid_assertion)
            record = self._watch(deadline)
        return self._value(self._ended(record, timeout))

    def result(self, timeout: float | None = None) -> Out:
        """`get`, as futures call it."""
        return self.get(timeout)

    async def aget(self, timeout: float | None = None, avoid_assertion: bool = False) -> Out:
        """`get` for coroutines: the event loop goes on meanwhile."""
        import asyncio

        loop = asyncio.get_running_loop()
        deadline = _deadline(timeout)
        record = await asyncio.to_thread(self.record)
        if not record.state.finished:
            self._check_waiting(avoid_assertion)
        while not record.state.finished and clock.monotonic() < deadline:
            # In turns, so that any number of waiting coroutines gets by with few threads.
            turn = min(deadline, clock.monotonic() + LONGEST_WAIT)
            record = await loop.run_in_executor(_awaiting(), self._watch, turn)
        return self._value(self._ended(record, timeout))

    def __await__(self) -> Generator[Any, None, Out]:
        """`aget` without a timeout."""
        return self.aget().__await__()

    def _check_waiting(self, avoid_assertion: bool) -> None:
        if not avoid_assertion and getattr(_here, "prevented", False):
            raise ResultGetPrevented(
                f"waiting for task {self.id} inside a handler could wait for ever: its thread may be this one; "
                "pass avoid_assertion=True if another group runs it"
            )

    def _watch(self, deadline: float) -> Record:
        """The record as it is when the task has finished, or when the deadline has passed."""
        pause = FIRST_WAIT
        with self.backend.watch(self.id) as watch:
            # The task may have finished between the caller's look and the watch, hence look first, then wait.
            while not (record := self.record()).state.finished:
                left = deadline - clock.monotonic()
                if left <= 0:
                    break
                watch.wait(min(pause, left))
                pause = min(pause * 2, LONGEST_WAIT)
        return record

    def _ended(self, record: Record, timeout: float | None) -> Record:
        if not record.state.finished:
            raise ResultGetTimedOut(
                f"task {self.id} is still {record.state.label} after {timeout} s"
            )
        return record

    def _value(self, record: Record) -> Out:
        if record.state is TaskState.SUCCEEDED:
            return self.handler.decode_result(record.task, record.result or b"")
        message = record.error or f"task {self.id} was {record.state.label}"
        raise _ENDINGS[record.state](record.task, message)

    # Commands

    def cancel(self, by: str | None = None) -> TaskState:
        """Cancel the task at once where it waits; ask for it where it runs. Returns the state it is in now.

        The store keeps who asked first (`by`; default: user@host) and when. Raises NotFound.
        """
        record = self.record()
        if record.state.finished:
            return record.state
        by = user_at_host() if by is None else by
        state = self.backend.cancel([self.id], by=by).get(self.id)
        if state is None:
            raise NotFound(f"no task {self.id}: it was purged or discarded")
        if state is TaskState.CANCELLED:
            self._tell_cancelled(record)
        return state

    def _tell_cancelled(self, record: Record) -> None:
        """No worker will hear of a task that was cancelled while it waited, so its handler hears of it here."""
        after = getattr(self.handler, "after", None)
        if after is None:
            return
        try:
            after(record.task, Cancelled(record.task))
        except Exception as error:  # noqa: BLE001  # a failing hook never changes the outcome
            log.hook_failed("after", record.task, log.one_line(error))


def _deadline(timeout: float | None) -> float:
    return float("inf") if timeout is None else clock.monotonic() + timeout


@cache
def _awaiting() -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(AWAITING_THREADS, "taskkitx await")


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=_awaiting.cache_clear)
