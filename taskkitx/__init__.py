"""A task queue for Python: processes times threads, coordinated by a store you already run.

Names are imported when they are first used, so that `import taskkitx` costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskkitx.backend import Backend
    from taskkitx.errors import (
        ConfigurationError,
        DecodeError,
        DiscardTask,
        DuplicateTask,
        EncodeError,
        Failed,
        InvalidSchedule,
        InvalidTask,
        NoResult,
        NotFound,
        ResultGetPrevented,
        ResultGetTimedOut,
        SchemaMismatch,
        StoreError,
        StoreRefused,
        StoreUnavailable,
        TaskCancelled,
        TaskDiscarded,
        TaskExpired,
        TaskkitxError,
    )
    from taskkitx.event import ControlEvent, EventBridge, Pause, Resume, Shutdown
    from taskkitx.handler import Limits, TaskHandler
    from taskkitx.settings import Settings
    from taskkitx.task import DEFAULT_TASK_TTL, Task, TaskState, UniqueUntil

VERSION = "0.1.0"

__all__ = [
    "DEFAULT_TASK_TTL",
    "VERSION",
    "Backend",
    "ConfigurationError",
    "ControlEvent",
    "DecodeError",
    "DiscardTask",
    "DuplicateTask",
    "EncodeError",
    "EventBridge",
    "Failed",
    "InvalidSchedule",
    "InvalidTask",
    "Limits",
    "NoResult",
    "NotFound",
    "Pause",
    "ResultGetPrevented",
    "ResultGetTimedOut",
    "Resume",
    "SchemaMismatch",
    "Settings",
    "Shutdown",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "Task",
    "TaskCancelled",
    "TaskDiscarded",
    "TaskExpired",
    "TaskHandler",
    "TaskState",
    "TaskkitxError",
    "UniqueUntil",
]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted

    def __getattr__(name: str) -> object:
        """Import a public name from where it lives, and remember it."""
        from importlib import import_module

        for home, names in _HOMES.items():
            if name in names.split():
                value = getattr(import_module(f"taskkitx.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module 'taskkitx' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


_HOMES = {
    "backend": "Backend",
    "errors": """
        ConfigurationError DecodeError DiscardTask DuplicateTask EncodeError Failed InvalidSchedule InvalidTask
        NoResult NotFound ResultGetPrevented ResultGetTimedOut SchemaMismatch StoreError StoreRefused
        StoreUnavailable TaskCancelled TaskDiscarded TaskExpired TaskkitxError
    """,
    "event": "ControlEvent EventBridge Pause Resume Shutdown",
    "handler": "Limits TaskHandler",
    "settings": "Settings",
    "task": "DEFAULT_TASK_TTL Task TaskState UniqueUntil",
}
