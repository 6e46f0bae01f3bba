"""The whole exception tree. Outcomes are plain facts, faults end in Error; an engine signal derives from BaseException.

TaskkitxError
├── ConfigurationError          the program or its settings must change
│   ├── SchemaMismatch          the store's schema is not this version's
│   └── InvalidSchedule
├── InvalidTask                 refused before anything was written
│   ├── EncodeError
│   └── InvalidArguments        (TypeError) they do not fit the function's signature
├── DecodeError
├── StoreError                  the store did not do it
│   ├── StoreUnavailable        ... and may later: unreachable, full, read-only
│   └── StoreRefused            ... and never will: this data, this version
├── NoResult                    (LookupError) the task has not finished
├── NotFound                    no such task
├── Failed                      the task failed
│   ├── TaskDiscarded
│   ├── TaskCancelled
│   └── TaskExpired
├── DuplicateTask               its unique key is bound
├── ResultGetTimedOut           (TimeoutError)
├── ResultGetPrevented          waiting for a result inside a handler
├── NotRunning                  (RuntimeError) asked for the current task outside of one
├── DiscardTask                 raised by handlers
├── Retry                       raised by functions
└── AttemptInterrupted          raised inside handlers
    ├── SoftTimeLimit
    ├── HardTimeLimit           only seen by get_retry_interval: the handler is past listening
    └── CancelRequested
"""

from datetime import timedelta
from typing import Any


class TaskkitxError(Exception):
    """The base of everything taskkitx raises."""


class ConfigurationError(TaskkitxError):
    """The program or its settings must change before this can work."""


class SchemaMismatch(ConfigurationError):
    """The store's schema is not the one this version of taskkitx works with."""


class InvalidSchedule(ConfigurationError):
    """A schedule that could never be what was meant; the message names field and value."""


class InvalidTask(TaskkitxError):
    """A task that is refused before anything was written; the message names field and value."""


class EncodeError(InvalidTask):
    """The codec cannot carry this value and give it back unchanged; the message names its path."""


class InvalidArguments(InvalidTask, TypeError):
    """Arguments that do not fit the function's signature; the message names the parameter."""


class DecodeError(TaskkitxError):
    """The stored bytes are not what the codec wrote."""


class StoreError(TaskkitxError):
    """The store did not do what it was asked."""


class StoreUnavailable(StoreError):
    """The store cannot do it now, and may later: unreachable, locked, full or read-only."""


class StoreRefused(StoreError):
    """The store will never do it: this data or this statement is not acceptable to it."""


class DuplicateTask(TaskkitxError):
    """A task with the same unique key already stands; `task_id` names it."""

    def __init__(self, task_id: str, key: str) -> None:
        super().__init__(f"task {task_id} already stands for the unique key {key!r}")
        self.task_id = task_id
        self.key = key

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.task_id, self.key)


class NoResult(TaskkitxError, LookupError):
    """The task has not finished yet."""


class NotFound(TaskkitxError, LookupError):
    """No such task: it never existed, or its ttl has passed and it was purged."""


class Failed(TaskkitxError):
    """The task ended without a result; `task` is the task, `message` says why."""

    def __init__(self, task: Any, message: str) -> None:
        super().__init__(message)
        self.task = task
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.task, self.message)


class TaskDiscarded(Failed):
    """The task was discarded, by its handler or by a person."""


class TaskCancelled(Failed):
    """The task was cancelled before it finished."""


class TaskExpired(Failed):
    """The task's time to start had passed before any worker could start it."""


class ResultGetTimedOut(TaskkitxError, TimeoutError):
    """The task did not finish within the timeout of `Result.get`; it goes on."""


class ResultGetPrevented(TaskkitxError):
    """Waiting for a result inside a handler may wait for ever: the thread it needs is this one."""


class DiscardTask(TaskkitxError):
    """Raised by a handler that wants its task gone, neither succeeded nor failed."""


class NotRunning(TaskkitxError, RuntimeError):
    """There is no current task here: this thread runs none."""


class Retry(TaskkitxError):
    """Raised by a function that wants to be run again, as long as its `max_retries` allow.

    `after`: seconds until then; None leaves that to the function's back-off.
    """

    def __init__(self, message: str = "", *, after: float | timedelta | None = None) -> None:
        super().__init__(message)
        self.after = after.total_seconds() if isinstance(after, timedelta) else after


class AttemptInterrupted(TaskkitxError):
    """The running attempt is asked to end now."""


class SoftTimeLimit(AttemptInterrupted):
    """The attempt has run for its soft timeout: clean up and come to an end."""


class HardTimeLimit(AttemptInterrupted):
    """The attempt did not end within its timeout; its process stops claiming and is replaced."""


class CancelRequested(AttemptInterrupted):
    """Somebody cancelled the task while it ran."""
