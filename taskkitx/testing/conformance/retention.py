"""Retention: finished tasks go when their ttl has passed, nothing else does."""

from typing import Any

from taskkitx.backend import Backend
from taskkitx.outcome import Failed
from taskkitx.record import TaskFilter
from taskkitx.task import UniqueUntil
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    EVERY_END,
    FAULT,
    WORKER,
    every_outcome,
    ids,
    new_task,
    put_and_claim,
    put_and_finish,
    put_one,
)
from taskkitx.testing.conformance.ground import Ground


class RetentionConformance(Ground):
    """`purge`."""

    def test_a_ttl_counts_from_the_end(self, backend: Backend, clock: FakeClock) -> None:
        task = put_and_claim(backend, ttl=60.0)
        clock.advance(1000.0)
        backend.finish(WORKER, [every_outcome(task)["succeeded"]])
        clock.advance(59.0)
        early = backend.purge()

        clock.advance(2.0)
        in_time = backend.purge()

        assert (early, in_time) == (0, 1)
        assert backend.get_many([task.id]) == {}

    def test_every_end_is_purged_and_nothing_else(self, backend: Backend) -> None:
        for kind in EVERY_END:
            task = put_and_claim(backend, ttl=0.0)
            backend.finish(WORKER, [every_outcome(task)[kind]])
        running = put_and_claim(backend, ttl=0.0)
        kept = [
            running,
            put_one(backend, ttl=0.0),
            put_one(backend, ttl=0.0, due=backend.now() + 60),
            put_and_finish(backend, group="h", ttl=3600.0),
        ]

        purged = backend.purge()

        assert purged == len(EVERY_END)
        assert set(ids(backend.list_tasks(TaskFilter()))) == set(ids(kept))

    def test_history_goes_with_its_task(self, backend: Backend) -> None:
        task = put_and_claim(backend, ttl=0.0)
        backend.finish(WORKER, [Failed(task, FAULT)])

        backend.purge()

        assert backend.attempts(task.id) == []

    def test_a_page_takes_the_oldest(self, backend: Backend, clock: FakeClock) -> None:
        tasks = [put_and_finish(backend, ttl=ttl) for ttl in (30.0, 10.0, 20.0, 90.0)]
        clock.advance(40.0)

        first = backend.purge(limit=2)

        assert first == 2
        assert backend.get_many(ids(tasks)).keys() == {tasks[0].id, tasks[3].id}
        assert (backend.purge(limit=2), backend.purge(limit=2)) == (1, 0)

    def test_a_retried_task_is_kept(self, backend: Backend) -> None:
        task = put_and_finish(backend, ttl=0.0)
        backend.retry([task.id])

        purged = backend.purge()

        assert purged == 0
        assert backend.get_many([task.id]).keys() == {task.id}

    def test_a_purged_task_leaves_its_key(self, backend: Backend) -> None:
        window: dict[str, Any] = {
            "unique_key": "key",
            "unique_until": UniqueUntil.WINDOW,
            "unique_for": 3600.0,
        }
        put_and_finish(backend, ttl=0.0, **window)
        backend.purge()

        (answer,) = backend.put([new_task(**window)])

        assert answer.created
