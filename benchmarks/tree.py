"""A supervisor with its workers as a user runs it, on a store of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.app import NoOp
from taskkitx import Kit, Task, TaskState, make_kit


@contextmanager
def store(folder: Path, name: str) -> Generator[Kit[str, str]]:
    """A kit on a new file, which the environment names for children."""
    os.environ["TASKKITX_URL"] = f"sqlite:///{folder / name}.db"
    kit = make_kit(NoOp())
    try:
        yield kit
    finally:
        kit.backend.close()


@contextmanager
def workers(processes: int = 2, threads: int = 8) -> Generator[int]:
    """Running worker processes; gives the supervisor's pid."""
    command = [sys.executable, "-m", "taskkitx.cli", "worker", "--app", "benchmarks.app:kit"]
    command += ["-p", str(processes), "-t", f"default={threads}"]
    environment = os.environ | {"TASKKITX_LOG_LEVEL": "error"}
    tree = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield tree.pid
    finally:
        tree.send_signal(signal.SIGTERM)
        tree.wait(60)


def noops(count: int, due: float | None = None) -> list[Task]:
    """Tasks that do nothing."""
    return [Task.init("default", "noop", b"1", due=due) for _ in range(count)]


def wait_for(kit: Kit[str, str], finished: int, cap: int) -> None:
    """Until that many tasks have succeeded."""
    while True:
        done = sum(g.counts.get(TaskState.SUCCEEDED, 0) for g in kit.backend.groups(cap))
        if done >= finished:
            return
        time.sleep(0.01)


def wait_for_these(kit: Kit[str, str], ids: Sequence[str]) -> None:
    """Until these have finished, at a cost that does not depend on what else is in the store."""
    # The last to be claimed tell when it is worth looking at all.
    for block in (ids[-256:], *(ids[at : at + 5000] for at in range(0, len(ids), 5000))):
        while not all(record.state.finished for record in kit.backend.get_many(block).values()):
            time.sleep(0.005)


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]
