"""Who waits for the write lock of a SQLite file is served in the order of coming."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROUNDS = 10

WRITER = """
import sys, threading, time
from taskkitx.backends.sql.connections import Connections

connections = Connections(sys.argv[1], patience=30)

def tell(before):
    while connections.contended == before:
        time.sleep(0.001)
    print("waits", flush=True)

for _ in sys.stdin:
    teller = threading.Thread(target=tell, args=(connections.contended,))
    teller.start()
    connections.transaction(lambda c: c.execute("INSERT INTO turns (name) VALUES (?)", [sys.argv[2]]))
    teller.join()
    print("done", flush=True)
"""


class Writer:
    """A process that writes its name when it is told to."""

    def __init__(self, path: Path, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shared.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE turns (place INTEGER PRIMARY KEY, name TEXT)")
    connection.close()
    return path


@pytest.fixture
def writers(path: Path) -> Iterator[list[Writer]]:
    writers = [Writer(path, name) for name in ("first", "second")]
    yield writers
    for writer in writers:
        writer.end()


def test_who_came_first_is_served_first(path: Path, writers: list[Writer]) -> None:
    """Seen to fail without the queue in front of the lock, where whoever tries at the right moment wins."""
    holder = sqlite3.connect(path, isolation_level=None)

    for _ in range(ROUNDS):
        holder.execute("BEGIN IMMEDIATE")
        for writer in writers:
            writer.write()
            assert writer.says() == "waits"
        holder.execute("COMMIT")
        assert [writer.says() for writer in writers] == ["done", "done"]

    found = holder.execute("SELECT name FROM turns ORDER BY place").fetchall()
    holder.close()
    assert [name for (name,) in found] == ["first", "second"] * ROUNDS
