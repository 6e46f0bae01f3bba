"""Many programs write to one SQLite file at once: everybody gets a turn, and nobody sees a locked database."""

import json
import sqlite3
import subprocess
import sys
import time

import pytest

from taskkitx import TaskState
from taskkitx.backends.sql.sqlite import SqliteBackend

PATIENCE = 30.0

WRITER = """
import json, sys, time
from taskkitx import Task
from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.outcome import Succeeded

path, name, seconds, patience = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
backend = SqliteBackend(path, enqueue_timeout=patience)
end = time.monotonic() + seconds
put, finished, claims = 0, 0, []
while time.monotonic() < end:
    put += sum(answer.created for answer in backend.put([Task.init("g", "n", b"1")]))
    exchanged = backend.exchange(name, [Succeeded(task, b"2") for task in claims], {"g": 2})
    finished += len(exchanged.accepted)
    claims = exchanged.claims
finished += len(backend.finish(name, [Succeeded(task, b"2") for task in claims]))
print(json.dumps([put, finished]))
"""


def write_beside(path, writers):
    """Transactions of 20 ms with pauses of 5 ms until the writers have ended; returns how many there were."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
    connection.execute("CREATE TABLE foreigner (n INT)")
    turns = 0
    while any(writer.poll() is None for writer in writers):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO foreigner VALUES (1)")
        time.sleep(0.02)  # what the foreigner does meanwhile
        connection.execute("COMMIT")
        turns += 1
        time.sleep(0.005)
    connection.close()
    return turns


@pytest.mark.soak
@pytest.mark.timeout(200)
def test_four_writers_beside_a_foreign_one_never_see_a_locked_database(tmp_path, soak):
    """Seen to fail with the first busy answer taken for an error."""
    seconds = 60.0 if soak else 4.0
    path = str(tmp_path / "shared.db")
    backend = SqliteBackend(path)
    backend.open()
    command = [sys.executable, "-c", WRITER, path]
    writers = [
        subprocess.Popen(
            [*command, f"w{number}", str(seconds), str(PATIENCE)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]

    turns = write_beside(path, writers)
    outputs = [writer.communicate() for writer in writers]

    assert [errors for _, errors in outputs] == [""] * 4
    counts = [json.loads(output) for output, _ in outputs]
    print(f"in {seconds:.0f} s: {turns} turns for the foreigner, [put, finished] {counts}")
    assert turns > 4 * seconds
    assert all(put > 0 for put, _ in counts)
    (status,) = backend.groups(cap=10_000_000)
    assert status.counts.get(TaskState.SUCCEEDED, 0) == sum(finished for _, finished in counts)
    assert sum(status.counts.values()) == sum(put for put, _ in counts)
    backend.close()
