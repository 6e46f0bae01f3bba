"""The memory store against itself: shows that the machine runs, and that it sees when a store breaks its promises."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import Phase

from taskkitx.backends.memory import MemoryBackend
from taskkitx.outcome import Outcome
from taskkitx.record import Lost, Put
from taskkitx.task import Task, TaskState
from taskkitx.testing import FakeClock
from taskkitx.testing.model import check_against_memory

_stores = count()


def subject_of(kind: type[MemoryBackend]) -> Callable[[FakeClock], MemoryBackend]:
    return lambda clock: kind(f"memory://subject-{next(_stores)}", clock=clock)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_memory_behaves_as_memory() -> None:
    check_against_memory(subject_of(MemoryBackend))


class BlindToAttempts(MemoryBackend):
    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        known = self.get_many([one.task.id for one in outcomes])
        outcomes = [
            replace(one, task=known[one.task.id].task) for one in outcomes if one.task.id in known
        ]
        return super().finish(worker_id, outcomes)


class AcceptsOnce(MemoryBackend):
    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        known = self.get_many([one.task.id for one in outcomes])
        running = {i for i, record in known.items() if record.state is TaskState.RUNNING}
        return running & set(super().finish(worker_id, outcomes))


class LosesFollowers(MemoryBackend):
    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        return super().finish(worker_id, [replace(one, then=()) for one in outcomes])


class ClaimsInAnyOrder(MemoryBackend):
    def claim(self, worker_id: str, wanted: Mapping[str, int]) -> list[Task]:
        return super().claim(worker_id, wanted)[::-1]


class ChargesNobody(MemoryBackend):
    def restore(
        self, worker_id: str, *, charged: Mapping[str, Lost] | None = None, **verdicts: Any
    ) -> int:
        return super().restore(worker_id, **verdicts)


class ParksNothing(MemoryBackend):
    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        return super().release(worker_id, claims)


class KnowsNoWindow(MemoryBackend):
    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        return super().put([replace(task, unique_for=0.0) for task in tasks])


class FiresAlways(MemoryBackend):
    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        return super().fire(scheduler, self.scheduler_state(scheduler), state, tasks)


class PurgesNothing(MemoryBackend):
    def purge(self, limit: int = 1000) -> int:
        return 0


class PausesByName(MemoryBackend):
    def pause(self, groups: Collection[str] | None) -> None:
        if groups is not None:
            super().pause(groups)


class ForgetsWhoAsked(MemoryBackend):
    def cancel(
        self, ids: Collection[str], by: str = "", *, states: Collection[TaskState] | None = None
    ) -> dict[str, TaskState]:
        return super().cancel(ids, states=states)


class BuriesTheLiving(MemoryBackend):
    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        return super().renew(workers, ttl / 10)


@pytest.mark.parametrize("broken", MemoryBackend.__subclasses__())
def test_a_broken_store_is_seen(broken: type[MemoryBackend]) -> None:
    with pytest.raises(AssertionError):
        check_against_memory(subject_of(broken), phases=[Phase.generate], max_examples=500)
