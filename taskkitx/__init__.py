"""A task queue for Python: processes times threads, coordinated by a store you already run.

Public names are imported when they are first used, so that importing the package costs almost nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskkitx.app.context import current_task as current_task
    from taskkitx.app.hooks import Middleware as Middleware
    from taskkitx.app.options import Unique as Unique
    from taskkitx.app.queue import Queue as Queue
    from taskkitx.backend import Backend as Backend
    from taskkitx.backends.connect import connect as connect
    from taskkitx.codec import Codec as Codec
    from taskkitx.codec import JSONCodec as JSONCodec
    from taskkitx.codec import MessagePackCodec as MessagePackCodec
    from taskkitx.codec import PickleCodec as PickleCodec
    from taskkitx.cron import CronSchedule as CronSchedule
    from taskkitx.errors import CancelRequested as CancelRequested
    from taskkitx.errors import ConfigurationError as ConfigurationError
    from taskkitx.errors import DecodeError as DecodeError
    from taskkitx.errors import DiscardTask as DiscardTask
    from taskkitx.errors import DuplicateTask as DuplicateTask
    from taskkitx.errors import EncodeError as EncodeError
    from taskkitx.errors import Failed as Failed
    from taskkitx.errors import HardTimeLimit as HardTimeLimit
    from taskkitx.errors import InvalidArguments as InvalidArguments
    from taskkitx.errors import InvalidSchedule as InvalidSchedule
    from taskkitx.errors import InvalidTask as InvalidTask
    from taskkitx.errors import NoResult as NoResult
    from taskkitx.errors import NotFound as NotFound
    from taskkitx.errors import NotRunning as NotRunning
    from taskkitx.errors import ResultGetPrevented as ResultGetPrevented
    from taskkitx.errors import ResultGetTimedOut as ResultGetTimedOut
    from taskkitx.errors import Retry as Retry
    from taskkitx.errors import SchemaMismatch as SchemaMismatch
    from taskkitx.errors import SoftTimeLimit as SoftTimeLimit
    from taskkitx.errors import StoreError as StoreError
    from taskkitx.errors import StoreRefused as StoreRefused
    from taskkitx.errors import StoreUnavailable as StoreUnavailable
    from taskkitx.errors import TaskCancelled as TaskCancelled
    from taskkitx.errors import TaskDiscarded as TaskDiscarded
    from taskkitx.errors import TaskExpired as TaskExpired
    from taskkitx.errors import TaskkitxError as TaskkitxError
    from taskkitx.event import ControlEvent as ControlEvent
    from taskkitx.event import EventBridge as EventBridge
    from taskkitx.event import Pause as Pause
    from taskkitx.event import Resume as Resume
    from taskkitx.event import Shutdown as Shutdown
    from taskkitx.handler import Limits as Limits
    from taskkitx.handler import TaskHandler as TaskHandler
    from taskkitx.kit import InitiateTaskArgs as InitiateTaskArgs
    from taskkitx.kit import Kit as Kit
    from taskkitx.kit import make_kit as make_kit
    from taskkitx.regular import IntervalSchedule as IntervalSchedule
    from taskkitx.regular import RegularSchedule as RegularSchedule
    from taskkitx.result import Progress as Progress
    from taskkitx.result import Result as Result
    from taskkitx.result import prevent_to_wait_result as prevent_to_wait_result
    from taskkitx.schedule import DuplicationPolicy as DuplicationPolicy
    from taskkitx.schedule import OnlyEarliest as OnlyEarliest
    from taskkitx.schedule import OnlyLatest as OnlyLatest
    from taskkitx.schedule import Schedule as Schedule
    from taskkitx.schedule import ScheduleEntriesCompat as ScheduleEntriesCompat
    from taskkitx.schedule import ScheduleEntriesCompatMapping as ScheduleEntriesCompatMapping
    from taskkitx.schedule import ScheduleEntry as ScheduleEntry
    from taskkitx.schedule import ScheduleEntryCompat as ScheduleEntryCompat
    from taskkitx.schedule import ScheduleEntryDict as ScheduleEntryDict
    from taskkitx.settings import Settings as Settings
    from taskkitx.supervisor.process import TaskkitProcess as TaskkitProcess
    from taskkitx.task import DEFAULT_TASK_TTL as DEFAULT_TASK_TTL
    from taskkitx.task import Task as Task
    from taskkitx.task import TaskState as TaskState
    from taskkitx.task import UniqueUntil as UniqueUntil

__version__ = "0.1.0"
VERSION = __version__

_HOMES = {
    "app.context": ("current_task",),
    "app.hooks": ("Middleware",),
    "app.options": ("Unique",),
    "app.queue": ("Queue",),
    "backend": ("Backend",),
    "backends.connect": ("connect",),
    "codec": (
        "Codec",
        "JSONCodec",
        "MessagePackCodec",
        "PickleCodec",
    ),
    "cron": ("CronSchedule",),
    "errors": (
        "CancelRequested",
        "ConfigurationError",
        "DecodeError",
        "DiscardTask",
        "DuplicateTask",
        "EncodeError",
        "Failed",
        "HardTimeLimit",
        "InvalidArguments",
        "InvalidSchedule",
        "InvalidTask",
        "NoResult",
        "NotFound",
        "NotRunning",
        "ResultGetPrevented",
        "ResultGetTimedOut",
        "Retry",
        "SchemaMismatch",
        "SoftTimeLimit",
        "StoreError",
        "StoreRefused",
        "StoreUnavailable",
        "TaskCancelled",
        "TaskDiscarded",
        "TaskExpired",
        "TaskkitxError",
    ),
    "event": (
        "ControlEvent",
        "EventBridge",
        "Pause",
        "Resume",
        "Shutdown",
    ),
    "handler": (
        "Limits",
        "TaskHandler",
    ),
    "kit": (
        "InitiateTaskArgs",
        "Kit",
        "make_kit",
    ),
    "regular": (
        "IntervalSchedule",
        "RegularSchedule",
    ),
    "result": (
        "Progress",
        "Result",
        "prevent_to_wait_result",
    ),
    "schedule": (
        "DuplicationPolicy",
        "OnlyEarliest",
        "OnlyLatest",
        "Schedule",
        "ScheduleEntriesCompat",
        "ScheduleEntriesCompatMapping",
        "ScheduleEntry",
        "ScheduleEntryCompat",
        "ScheduleEntryDict",
    ),
    "settings": ("Settings",),
    "supervisor.process": ("TaskkitProcess",),
    "task": (
        "DEFAULT_TASK_TTL",
        "Task",
        "TaskState",
        "UniqueUntil",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["VERSION", "__version__", *sorted(_HOME_OF)]  # pyright: ignore[reportUnsupportedDunderAll]  # lazily


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'taskkitx' has no attribute {name!r}")
    value = getattr(import_module(f"taskkitx.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
