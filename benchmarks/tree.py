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
def store(folder: Path, name: str, url: str = "") -> Generator[Kit[str, str]]:
    """A kit on a new file, or on the empty store at `url`, which the environment names for children."""
    os.environ["TASKKITX_URL"] = url or f"sqlite:///{folder / name}.db"
    kit = make_kit(NoOp())
    try:
        yield kit
    finally:
        kit.backend.close()


@contextmanager
def workers(
    processes: int = 2, threads: int = 8, app: str = "benchmarks.app:kit"
) -> Generator[int]:
    """Running worker processes; gives the supervisor's pid."""
    command = [sys.executable, "-m", "taskkitx.cli", "worker", "--app", app]
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


def drain(kit: Kit[str, str], work: Sequence[Task], app: str = "benchmarks.app:kit") -> float:
    """Tasks per second of a tree that is ready before they may be claimed, until the last one is done."""
    kit.send_pause_event()
    for start in range(0, len(work), 1000):
        kit.backend.put(work[start : start + 1000])
    with workers(app=app):
        while len(kit.backend.workers()) < 2:
            time.sleep(0.01)
        time.sleep(0.5)
        began = kit.backend.now()
        kit.send_resume_event()
        return len(work) / (last_done(kit, [task.id for task in work]) - began)


def pick_ups(kit: Kit[str, str]) -> tuple[list[float], list[float]]:
    """Seconds from initiating to starting, and from starting to the result's arrival, on idle workers."""
    started: list[float] = []
    arrived: list[float] = []
    kit.initiate_task("default", "when", "1").get(timeout=30)
    for _ in range(100):
        time.sleep(0.02)
        began = time.time()
        start = float(kit.initiate_task("default", "when", "1").get(timeout=30))
        started.append(start - began)
        arrived.append(time.time() - start)
    return started, arrived


def wait_for(kit: Kit[str, str], finished: int, cap: int) -> None:
    """Until that many tasks have succeeded."""
    while True:
        done = sum(g.counts.get(TaskState.SUCCEEDED, 0) for g in kit.backend.groups(cap))
        if done >= finished:
            return
        time.sleep(0.01)


def last_done(kit: Kit[str, str], ids: Sequence[str]) -> float:
    """When the last of these finished, by the store's clock; waits for that at next to no cost to who does the work."""
    # The one to be claimed last tells when it is worth looking at the others.
    for block in (ids[-1:], *(ids[at : at + 5000] for at in range(0, len(ids), 5000))):
        while not all(record.state.finished for record in kit.backend.get_many(block).values()):
            time.sleep(0.02)
    blocks = (kit.backend.get_many(ids[at : at + 5000]) for at in range(0, len(ids), 5000))
    return max(record.done or 0.0 for block in blocks for record in block.values())


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]
