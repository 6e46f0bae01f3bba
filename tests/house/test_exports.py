"""The public names, and what importing the package costs."""

import subprocess
import sys

import taskkitx

TASKKIT = {
    "Backend",
    "ControlEvent",
    "DiscardTask",
    "DuplicationPolicy",
    "EventBridge",
    "Failed",
    "InitiateTaskArgs",
    "Kit",
    "NoResult",
    "NotFound",
    "OnlyEarliest",
    "OnlyLatest",
    "RegularSchedule",
    "Result",
    "ResultGetTimedOut",
    "Schedule",
    "ScheduleEntriesCompat",
    "ScheduleEntriesCompatMapping",
    "ScheduleEntry",
    "ScheduleEntryCompat",
    "ScheduleEntryDict",
    "Task",
    "TaskHandler",
    "TaskkitProcess",
    "VERSION",
}
HEAVY = ("sqlalchemy", "alembic", "click", "rich", "croniter", "sqlite3", "psycopg", "redis")


def test_every_public_name_exists():
    assert all(getattr(taskkitx, name) is not None for name in taskkitx.__all__)


def test_taskkits_names_are_there():
    assert set(taskkitx.__all__) >= TASKKIT


def test_importing_imports_nothing_heavy():
    code = f"import sys, taskkitx; print([name for name in {HEAVY} if name in sys.modules])"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"
