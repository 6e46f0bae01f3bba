"""Unique keys: how long each mode binds, and what a task without its key may do."""

from dataclasses import replace
from typing import Any

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Retried, Succeeded
from taskkitx.task import Task, TaskState, UniqueUntil
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
    state_of,
)
from taskkitx.testing.conformance.ground import Ground

QUEUED, STARTED, DONE, WINDOW = UniqueUntil
EVERY_MODE = pytest.mark.parametrize("until", list(UniqueUntil))


class UniqueConformance(Ground):
    """`unique_key`, `unique_until`, `unique_for`."""

    @EVERY_MODE
    def test_a_second_task_with_the_key_is_not_put(
        self, backend: Backend, other: Backend, until: UniqueUntil
    ) -> None:
        first = put_one(backend, **_unique(until))

        (answer,) = other.put([new_task("another", **_unique(until))])

        assert answer == (first.id, False)
        assert backend.claim(WORKER, {"another": 1}) == []

    def test_the_first_with_the_key_in_a_batch_stands(self, backend: Backend) -> None:
        first, second, free = (new_task(**_unique(DONE)) for _ in "123")
        free = replace(free, unique_key="another")

        answers = backend.put([first, second, free])

        assert answers == [(first.id, True), (first.id, False), (free.id, True)]

    def test_the_same_id_counts_before_the_same_key(self, backend: Backend) -> None:
        put_one(backend, **_unique(DONE))
        standing = put_one(backend)

        (answer,) = backend.put([replace(standing, unique_key="key")])

        assert answer == (standing.id, False)

    def test_keys_that_differ_bind_nobody_else(self, backend: Backend) -> None:
        tasks = [new_task(unique_key=key) for key in ("key", "Key", "key ", None, None)]

        answers = backend.put(tasks)

        assert all(put.created for put in answers)

    def test_a_waiting_task_shows_its_key(self, backend: Backend) -> None:
        task = put_one(backend, **_unique(WINDOW))

        kept = backend.get_many([task.id])[task.id].task

        assert (kept.unique_key, kept.unique_until, kept.unique_for) == ("key", WINDOW, 3600.0)

    @pytest.mark.parametrize(
        ("until", "bound"), [(QUEUED, False), (STARTED, False), (DONE, True), (WINDOW, True)]
    )
    def test_while_it_runs(self, backend: Backend, until: UniqueUntil, bound: bool) -> None:
        first = put_and_claim(backend, **_unique(until))

        answer = _put_another(backend)

        assert answer == (first.id if bound else None)

    @pytest.mark.parametrize(
        ("until", "bound"), [(QUEUED, True), (STARTED, False), (DONE, True), (WINDOW, True)]
    )
    def test_while_it_waits_for_a_retry(
        self, backend: Backend, until: UniqueUntil, bound: bool
    ) -> None:
        first = put_and_claim(backend, **_unique(until))
        backend.finish(WORKER, [Retried(first, 3600.0, FAULT)])

        answer = _put_another(backend)

        assert answer == (first.id if bound else None)

    @pytest.mark.parametrize("back", ["release", "restore"])
    def test_a_claim_that_came_back_binds_while_queued(self, backend: Backend, back: str) -> None:
        first = put_and_claim(backend, **_unique(QUEUED))
        _give_back(backend, back, first)

        answer = _put_another(backend)

        assert answer == first.id

    @pytest.mark.parametrize("back", ["retry", "release", "restore"])
    def test_a_key_taken_meanwhile_stops_nobody_from_waiting_again(
        self, backend: Backend, back: str
    ) -> None:
        first = put_and_claim(backend, **_unique(QUEUED))
        second = put_one(backend, **_unique(QUEUED))

        _give_back(backend, back, first)

        assert _put_another(backend) == second.id
        assert set(ids(backend.claim(WORKER, {"g": 3}))) == {first.id, second.id}

    @pytest.mark.parametrize("until", [QUEUED, STARTED, DONE, None])
    @pytest.mark.parametrize("kind", EVERY_END)
    def test_an_end_frees_the_key(
        self, backend: Backend, until: UniqueUntil | None, kind: str
    ) -> None:
        first = put_and_claim(backend, unique_key="key", unique_until=until)
        backend.finish(WORKER, [every_outcome(first)[kind]])

        answer = _put_another(backend)

        assert answer is None

    def test_no_mode_means_until_done(self, backend: Backend) -> None:
        first = put_and_claim(backend, unique_key="key")

        answer = _put_another(backend)

        assert answer == first.id

    @pytest.mark.parametrize("until", [QUEUED, STARTED, DONE])
    def test_cancelling_frees_the_key(self, backend: Backend, until: UniqueUntil) -> None:
        first = put_one(backend, **_unique(until))
        backend.cancel([first.id])

        answer = _put_another(backend)

        assert answer is None

    @EVERY_MODE
    def test_discarding_frees_the_key(self, backend: Backend, until: UniqueUntil) -> None:
        first = put_one(backend, **_unique(until))
        backend.discard([first.id])

        answer = _put_another(backend)

        assert answer is None

    def test_a_window_outlasts_the_tasks_end(self, backend: Backend) -> None:
        first = put_and_finish(backend, **_unique(WINDOW))

        answer = _put_another(backend)

        assert answer == first.id

    @pytest.mark.parametrize("finished", [True, False])
    def test_a_window_ends(self, backend: Backend, clock: FakeClock, finished: bool) -> None:
        put = put_and_finish if finished else put_one
        first = put(backend, **_unique(WINDOW))
        clock.advance(3599.0)
        within = _put_another(backend)

        clock.advance(2.0)
        after = _put_another(backend)

        assert (within, after) == (first.id, None)

    def test_a_task_may_finish_after_its_window_went_to_another(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        first = put_and_claim(backend, **_unique(WINDOW))
        clock.advance(3601.0)
        second = put_one(backend, **_unique(WINDOW))

        backend.finish(WORKER, [Succeeded(first, b"")])

        assert state_of(backend, first) is TaskState.SUCCEEDED
        assert _put_another(backend) == second.id

    def test_a_task_put_by_an_outcome_keeps_to_its_key(self, backend: Backend) -> None:
        standing = put_and_claim(backend, **_unique(DONE))
        running = put_and_claim(backend)
        follower = new_task(**_unique(DONE))

        accepted = backend.finish(WORKER, [Succeeded(running, b"", then=(follower,))])

        assert set(accepted) == {running.id}
        assert backend.get_many([follower.id, standing.id]).keys() == {standing.id}

    @pytest.mark.parametrize("until", [QUEUED, DONE])
    def test_a_retried_task_takes_its_key_again(self, backend: Backend, until: UniqueUntil) -> None:
        first = put_and_finish(backend, **_unique(until))
        backend.retry([first.id])

        answer = _put_another(backend)

        assert answer == first.id

    def test_a_retried_task_may_meet_its_key_taken(self, backend: Backend) -> None:
        first = put_and_finish(backend, **_unique(DONE))
        second = put_one(backend, **_unique(DONE))

        retried = backend.retry([first.id])

        assert retried == 1
        assert set(ids(backend.claim(WORKER, {"g": 3}))) == {first.id, second.id}


def _unique(until: UniqueUntil) -> dict[str, Any]:
    return {
        "unique_key": "key",
        "unique_until": until,
        "unique_for": 3600.0 if until is WINDOW else None,
    }


def _put_another(backend: Backend) -> str | None:
    """Which task keeps another with the key from being put, if one does."""
    (answer,) = backend.put([new_task("another", **_unique(DONE))])
    return None if answer.created else answer.id


def _give_back(backend: Backend, how: str, task: Task) -> None:
    if how == "retry":
        assert backend.finish(WORKER, [Retried(task, 0.0, FAULT)])
    elif how == "release":
        assert backend.release(WORKER, [task]) == 1
    else:
        assert backend.restore(WORKER) == 1
