"""What `from taskkitx import ...` offers: taskkit's names and ours, each importable, typed, and imported late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import taskkitx


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TASKKIT = words(
    """
    Backend ControlEvent DiscardTask DuplicationPolicy EventBridge Failed InitiateTaskArgs Kit Lock NoResult NotFound
    OnlyEarliest OnlyLatest RegularSchedule Result ResultGetTimedOut Schedule ScheduleEntriesCompat
    ScheduleEntriesCompatMapping ScheduleEntry ScheduleEntryCompat ScheduleEntryDict StageInfo Task TaskHandler
    TaskkitProcess VERSION
    """
)
# They belong to the port to a store, which is ours: nothing is locked (schedules compare and set), and what runs is
# read as workers' info and tasks' records.
WITHOUT_MEANING_HERE = frozenset({"Lock", "StageInfo"})
OURS = words(
    """
    CancelRequested Codec ConfigurationError CronSchedule DEFAULT_TASK_TTL DecodeError DuplicateTask EncodeError
    HardTimeLimit IntervalSchedule InvalidArguments InvalidSchedule InvalidTask JSONCodec Limits
    MessagePackCodec Middleware NotRunning Pause PickleCodec Progress Queue ResultGetPrevented Resume Retry
    SchemaMismatch Settings Shutdown SoftTimeLimit StoreError StoreRefused StoreUnavailable TaskCancelled
    TaskDiscarded TaskExpired TaskState TaskkitxError Unique UniqueUntil __version__ connect current_task
    make_kit prevent_to_wait_result
    """
)
HEAVY = words(
    """
    sqlalchemy alembic psycopg pymysql redis sqlite3 click rich croniter cloudpickle msgpack setproctitle asyncio
    multiprocessing concurrent.futures logging
    """
)


def test_the_public_names_are_taskkits_and_ours():
    offered = TASKKIT - WITHOUT_MEANING_HERE | OURS
    assert set(taskkitx.__all__) == offered
    assert len(taskkitx.__all__) == len(offered)


@pytest.mark.parametrize("name", taskkitx.__all__)
def test_a_public_name_is_there(name):
    assert getattr(taskkitx, name) is not None
    assert name in dir(taskkitx)


def test_another_name_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'Taks'"):
        getattr(taskkitx, "Taks")  # noqa: B009  # a type checker would rightly refuse the plain form


def test_type_checkers_see_every_name_where_it_lives():
    # Given what is imported for type checkers, and what is imported late when the program runs
    source = ast.parse(Path(taskkitx.__file__).read_text())
    typed = {
        (node.module.removeprefix("taskkitx."), alias.name)
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("taskkitx.")
        for alias in node.names
    }
    late = {(home, name) for home, names in taskkitx._HOMES.items() for name in names}

    # Then they agree with each other and with __all__
    assert typed == late
    assert {name for _, name in late} | {"VERSION", "__version__"} == set(taskkitx.__all__)


def test_importing_taskkitx_is_light():
    # Given a process that has only imported taskkitx
    program = "import sys, taskkitx; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    # Then neither drivers nor anything else that takes its time was imported
    assert not HEAVY & set(output.split())
    assert not [name for name in output.split() if name.startswith("taskkitx.")]
