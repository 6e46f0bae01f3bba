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


def drain(kit: Kit[str, str], count: int) -> float:
    """Tasks per second of a tree that is ready before they may be claimed."""
    kit.send_pause_event()
    work = noops(count)
    for start in range(0, count, 5000):
        kit.backend.put(work[start : start + 5000])
    with workers():
        while len(kit.backend.workers()) < 2:
            time.sleep(0.01)
        time.sleep(0.5)
        began = time.perf_counter()
        kit.send_resume_event()
        wait_for_these(kit, [task.id for task in work])
        return count / (time.perf_counter() - began)


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
