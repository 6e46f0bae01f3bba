"""A worker inside the caller's process: started and stopped again and again, and what its threads survive."""

import gc
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from taskkitx import (
    ConfigurationError,
    Failed,
    Kit,
    Limits,
    Task,
    TaskHandler,
    TaskState,
    make_kit,
)
from taskkitx.backends.memory.backend import MemoryBackend
from taskkitx.record import Exchanged, Record

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


Work = Callable[..., list[Record]]


@pytest.fixture
def working(request: pytest.FixtureRequest) -> Iterator[Work]:
    """Runs tasks of these names by one thread, and says what became of them."""
    kits: list[Kit[int, int]] = []

    def work(handler: TaskHandler[int, int], *names: str) -> list[Record]:
        kit = make_kit(handler, f"memory://{request.node.name}")
        kits.append(kit)
        results = [kit.initiate_task("g", name, 7) for name in names]
        threading.Thread(target=kit.run_worker, args=({"g": 1},), daemon=True).start()
        for result in results:
            with suppress(Failed):
                result.get(timeout=30)
        records = kit.backend.get_many([result.id for result in results])
        return [records[result.id] for result in results]

    yield work
    for kit in kits:
        kit.stop_worker()


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_a_worker_that_has_ended_holds_no_descriptor(kit: Kit[int, int]) -> None:
    run_a_task(kit)  # what is opened once
    before = descriptors()

    for _ in range(ROUNDS):
        run_a_task(kit)

    assert descriptors() < before + ROUNDS


class Limited(Echo):
    """Has limits nobody can keep for one name, and trouble with losses for another."""

    def get_limits(self, task: Task) -> Limits | None:
        if task.name == "odd":
            return Limits(timeout="5")  # type: ignore[arg-type]  # the mistake under test
        return Limits(at_most_once=True) if task.name == "once" else None


def test_a_limit_that_is_none_fails_its_task_and_names_the_value(working: Work):
    odd, fine = working(Limited(), "odd", "echo")

    assert (fine.state, odd.state) == (TaskState.SUCCEEDED, TaskState.FAILED)
    assert "timeout is '5': it is seconds, or None" in (odd.error or "")


class Answering(Echo):
    """Its results are bytes of data's number of kilobytes, or nothing any store could keep."""

    def encode_result(self, task: Task, result: int) -> bytes:
        if task.name == "text":
            return "text"  # type: ignore[return-value]  # the mistake under test
        if task.name == "broken":
            raise ValueError("that cannot be written down")
        return bytes(1024) * result

    def get_retry_interval(self, task: Task, exception: BaseException) -> float | None:
        return 0.0


def test_a_result_that_cannot_be_kept_fails_its_task_which_is_not_run_again(
    working: Work, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TASKKITX_MAX_RESULT_BYTES", "7000")

    large, text, broken = working(Answering(), "large", "text", "broken")

    assert [r.state for r in (large, text, broken)] == [TaskState.FAILED] * 3
    assert [r.task.attempt for r in (large, text, broken)] == [1, 1, 1]
    assert "its result has 7168 bytes, more than 7000" in (large.error or "")
    assert "encode_result returned str, not bytes" in (text.error or "")
    assert "that cannot be written down" in (broken.error or "")


def test_a_fault_of_the_engine_in_a_thread_fails_the_task_and_not_the_thread(
    working: Work, monkeypatch: pytest.MonkeyPatch
):
    """Seen to end the only thread, and to leave its task running for ever."""

    def persist(self: MemoryBackend) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(MemoryBackend, "persist", persist)

    once, fine = working(Limited(), "once", "echo")

    assert (fine.state, once.state) == (TaskState.SUCCEEDED, TaskState.FAILED)
    assert "nobody foresaw this" in (once.error or "")


def test_what_nobody_foresaw_in_the_claiming_thread_costs_nothing_that_runs(
    working: Work, monkeypatch: pytest.MonkeyPatch
):
    """Seen to end the worker, and each of its successors."""
    exchange, failures = MemoryBackend.exchange, iter(range(3))

    def stumble(self: MemoryBackend, *args: Any) -> Exchanged:
        if next(failures, None) is not None:
            raise TypeError("nobody foresaw this")
        return exchange(self, *args)

    monkeypatch.setattr(MemoryBackend, "exchange", stumble)

    (fine,) = working(Echo(), "echo")

    assert fine.state is TaskState.SUCCEEDED


def test_what_nobody_foresaw_and_does_not_pass_ends_the_worker(
    kit: Kit[int, int], monkeypatch: pytest.MonkeyPatch
):
    """A worker that only waited would keep its outcomes, and its tasks, for ever."""
    monkeypatch.setattr("taskkitx.worker.store_health.LONGEST_PAUSE", 0.01)

    def stumble(*_: Any) -> Exchanged:
        raise TypeError("nobody foresaw this")

    monkeypatch.setattr(kit.backend, "exchange", stumble)

    with pytest.raises(TypeError, match="nobody foresaw this"):
        kit.run_worker({"g": 1})


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class Awkward(Echo):
    """Raises what cannot be told, and is of two minds about its limits."""

    asked = 0

    def handle(self, task: Task) -> int:
        if task.name == "unspeakable":
            raise Unspeakable
        time.sleep(5.0 if task.name == "endless" else 0.0)
        return 7

    def get_limits(self, task: Task) -> Limits | None:
        if task.name != "endless":
            return None
        self.asked += 1
        if self.asked > 1:
            raise ValueError("asked twice")
        return Limits(timeout=0.2)


def test_an_exception_that_cannot_be_shown_fails_its_task(working: Work):
    """Seen to end the only thread, and to leave its task running for ever."""
    odd, fine = working(Awkward(), "unspeakable", "echo")

    assert (odd.state, fine.state) == (TaskState.FAILED, TaskState.SUCCEEDED)
    assert "its message cannot be shown" in (odd.error or "")


def test_limits_are_asked_for_once(working: Work):
    """Seen to end the worker that asked for them again when they were reached."""
    (endless,) = working(Awkward(), "endless")

    assert endless.state is TaskState.FAILED
    assert "timeout of 0.2 s" in (endless.error or "")


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ({"soft_timeout": -1.0}, "soft_timeout is -1.0"),
        ({"timeout": float("inf")}, "timeout is inf"),
        ({"max_crashes": 0}, "max_crashes is 0"),
        ({"on_crash": "ignore"}, "on_crash is 'ignore'"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limit: dict[str, Any], says: str):
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        Limits(**limit)
