"""A worker inside the caller's process, started and stopped again and again."""

import gc
import os
import threading
from pathlib import Path

import pytest

from taskkitx import Kit, Task, TaskHandler, make_kit

ROUNDS = 20


class Echo(TaskHandler[int, int]):
    def handle(self, task: Task) -> int:
        return int(task.data)


@pytest.fixture(params=["memory", "sqlite"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Kit[int, int]:
    urls = {"memory": f"memory://{tmp_path}", "sqlite": f"sqlite:///{tmp_path / 'tasks.db'}"}
    return make_kit(Echo(), urls[request.param])


def run_a_task(kit: Kit[int, int]) -> None:
    worker = threading.Thread(target=kit.run_worker, args=({"g": 2},))
    worker.start()
    assert kit.initiate_task("g", "echo", 7).get(timeout=30) == 7
    kit.stop_worker()
    worker.join()


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_a_worker_that_has_ended_holds_no_descriptor(kit: Kit[int, int]) -> None:
    run_a_task(kit)  # what is opened once
    before = descriptors()

    for _ in range(ROUNDS):
        run_a_task(kit)

    assert descriptors() < before + ROUNDS
