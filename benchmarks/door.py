"""What the decorator door costs: a drain through `@queue.task` beside a plain handler's; progress seen elsewhere."""

import os
import time
from pathlib import Path

from benchmarks import tree
from benchmarks.figure import Figure, Figures, Workload
from benchmarks.functions import add, queue, steps
from taskkitx import Queue, Task

SECONDS = 10.0


def door(folder: Path, tasks: int = 50_000) -> Figures:
    """Both drain as many tasks, by two processes of eight threads, one after the other."""
    plain = _drain(folder, "plain", "benchmarks.app:kit", tree.noops(tasks))
    data = queue.kit.handler.encode_data("default", add.name, ([2, 3], {}))
    calls = [Task.init("default", add.name, data) for _ in range(tasks)]
    called = _drain(folder, "called", "benchmarks.functions:queue", calls)
    return {"drain through @queue.task": Figure(called, "tasks/s", plain, ">= 0.8 of a handler's")}


def _drain(folder: Path, name: str, app: str, work: list[Task]) -> float:
    with tree.store(folder, name) as kit:
        kit.backend.open()
        return tree.drain(kit, work, app)


def progress(folder: Path) -> Figures:
    """A task reports a thousand times a second; another process looks two hundred times a second."""
    with tree.store(folder, "progress"), tree.workers(app="benchmarks.functions:queue"):
        here = Queue(os.environ["TASKKITX_URL"])
        result = here.enqueue(steps.name, (SECONDS,))
        seen: dict[str, float] = {}
        oldest = 0.0
        while not result.state.finished:
            told = here.progress(result.id)
            if told is not None and told.note is not None:
                seen.setdefault(told.note, time.time())
                if told.current < SECONDS - 0.5:
                    oldest = max(oldest, time.time() - float(told.note))
            time.sleep(0.005)
        here.backend.close()
    return {
        "progress seen elsewhere, at its oldest": Figure(oldest * 1000, "ms", None, "<= 500 ms"),
        "store writes of that progress": Figure(len(seen) / SECONDS, "/s", None, "< 5 /s"),
    }


ALL: dict[str, Workload] = {"door": door, "progress": progress}
