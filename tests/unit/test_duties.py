"""Taking tasks back: from whom, when, and on whose account."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from taskkitx import Task, TaskState
from taskkitx.backend import Backend
from taskkitx.backends.memory.backend import MemoryBackend
from taskkitx.record import WorkerRecord
from taskkitx.settings import Settings
from taskkitx.supervisor.burial import SECOND_LOOK, Burial
from taskkitx.supervisor.slots import Region, SlotTable
from taskkitx.supervisor.verdict import Death
from taskkitx.testing import FakeClock
from taskkitx.worker.duties import OWN_KEEPER_FIRST, restore_service

SETTINGS = Settings(lease_ttl=6.0)
WORKER = "wk_of_ours"


class Time:
    """The store's clock and this process's own, which go on together."""

    def __init__(self) -> None:
        self.store = FakeClock()
        self.here = 1000.0

    def passes(self, seconds: float) -> None:
        self.store.advance(seconds)
        self.here += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    ours = SimpleNamespace(monotonic=lambda: time.here)
    monkeypatch.setattr("taskkitx.worker.duties.clock", ours)
    monkeypatch.setattr("taskkitx.supervisor.burial.clock", ours)
    return time


@pytest.fixture
def backend(request: pytest.FixtureRequest, time: Time) -> MemoryBackend:
    return MemoryBackend(f"memory://{request.node.name}", clock=time.store)


@pytest.fixture
def region() -> Iterator[Region]:
    table = SlotTable(4)
    region = table.free()
    assert region is not None
    region.occupy(WORKER, solo=False)
    yield region
    table.close()


def record(backend: Backend, task: Task) -> tuple[TaskState, int, int]:
    """State, times lost, attempts in its history."""
    found = backend.get_many([task.id])[task.id]
    return found.state, found.task.lost, len(backend.attempts(task.id))


def test_who_could_not_renew_during_an_outage_of_the_store_may_do_so_before_anybody_judges(
    backend: MemoryBackend, time: Time
) -> None:
    """Seen to cost every worker its identity after an outage that was longer than its lease."""
    sweep = restore_service(backend, SETTINGS)
    backend.register(WorkerRecord(WORKER), SETTINGS.lease_ttl)
    sweep()

    time.passes(60.0)  # in which the store answered nobody
    for _ in range(4):
        time.passes(sweep())

    assert set(backend.renew({WORKER: {}}, SETTINGS.lease_ttl)) == {WORKER}


def test_who_does_not_come_back_after_an_outage_is_dead(backend: MemoryBackend, time: Time) -> None:
    sweep = restore_service(backend, SETTINGS)
    backend.register(WorkerRecord(WORKER), SETTINGS.lease_ttl)
    time.passes(60.0)
    for _ in range(10):
        time.passes(sweep())

    assert backend.workers() == []


def test_what_a_worker_had_claimed_as_it_died_is_queued_and_not_lost(
    backend: MemoryBackend, time: Time, region: Region
) -> None:
    """Seen to end in the task's history as an attempt lost with its host."""
    burial = Burial(backend, lambda dead, restored: None)
    task = Task.init("g", "n", b"1")
    backend.put([task])
    burial.add(region, Death(signal=9))
    burial.restore()

    backend.claim(WORKER, {"g": 1})  # it was on its way
    time.passes(SECOND_LOOK)
    burial.restore()

    assert record(backend, task) == (TaskState.QUEUED, 0, 0)


@pytest.fixture
def one_cannot_be_restored(backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a worker at whose tasks every store would stumble."""
    restore = backend.restore

    def stumble(worker_id: str, **options: Any) -> int:
        if worker_id == "wk_bad":
            raise TypeError("nobody foresaw this")
        return restore(worker_id, **options)

    monkeypatch.setattr(backend, "restore", stumble)
    return "wk_bad"


def test_a_worker_that_cannot_be_buried_keeps_no_other_waiting(
    backend: MemoryBackend, time: Time, one_cannot_be_restored: str
) -> None:
    """Seen to leave the tasks of all that died after it where they were."""
    table = SlotTable(4)
    burial = Burial(backend, lambda dead, restored: None)
    task = Task.init("g", "n", b"1")
    backend.put([task])
    backend.claim(WORKER, {"g": 1})
    for region, worker_id in zip(table.regions, (one_cannot_be_restored, WORKER), strict=False):
        region.occupy(worker_id, solo=False)
        burial.add(region, Death(signal=9))

    again = burial.restore()

    assert record(backend, task)[0] is TaskState.QUEUED
    assert len(burial) == 1
    assert again < 10.0
    table.close()


def test_a_worker_that_cannot_be_swept_keeps_no_other_waiting(
    backend: MemoryBackend, time: Time, one_cannot_be_restored: str
) -> None:
    told: list[bool] = []
    sweep = restore_service(backend, SETTINGS, on_restored=lambda: told.append(True))
    task = Task.init("g", "n", b"1")
    for worker_id in (one_cannot_be_restored, WORKER):
        backend.register(WorkerRecord(worker_id), 1.0)
    backend.put([task])
    backend.claim(WORKER, {"g": 1})
    for _ in range(4):
        time.passes(sweep())

    assert record(backend, task)[0] is not TaskState.RUNNING
    assert told


def test_the_sweep_knows_whom_its_keeper_has_buried(
    backend: MemoryBackend, time: Time, region: Region
) -> None:
    burial = Burial(backend, lambda dead, restored: None)
    sweep = restore_service(backend, SETTINGS, burial.is_buried)
    task = Task.init("g", "n", b"1")
    backend.put([task])
    burial.add(region, Death(signal=9))
    burial.restore()

    backend.claim(WORKER, {"g": 1})
    sweep()
    time.passes(OWN_KEEPER_FIRST)
    sweep()

    assert record(backend, task) == (TaskState.QUEUED, 0, 0)
