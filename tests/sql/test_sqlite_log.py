"""The write-ahead log of a SQLite file that a foreign reader keeps from being reused."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskkitx import Kit, TaskHandler, make_kit
from taskkitx.task import Task

MEGABYTES = 80


class NoOp(TaskHandler[str, None]):
    def handle(self, task: Task) -> None:
        return None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def kit(file: Path) -> Iterator[Kit[str, None]]:
    kit = make_kit(NoOp(), f"sqlite:///{file}")
    kit.backend.open()
    yield kit
    kit.backend.close()


@pytest.fixture
def reader(kit: Kit[str, None], file: Path) -> Iterator[sqlite3.Connection]:
    """In a transaction that has begun to read."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM taskkitx_task").fetchone()
    yield connection
    connection.close()


def test_a_reader_who_stays_is_told_of_and_the_log_shrinks_when_he_has_gone(
    kit: Kit[str, None], file: Path, reader: sqlite3.Connection
) -> None:
    """Seen to fail without the checkpoint in `purge`."""
    for _ in range(MEGABYTES):
        kit.initiate_task("g", "n", "x" * (1 << 20))
    kit.backend.purge()
    (alarm,) = kit.backend.alarms()
    assert "tasks.db-wal has grown to" in alarm

    reader.close()
    kit.backend.purge()

    assert kit.backend.alarms() == []
    assert Path(f"{file}-wal").stat().st_size == 0
