"""The fence: only the attempt that owns a running task may write about it, and a repeated write is no mistake."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Retried, Succeeded
from taskkitx.task import Task, TaskState
from taskkitx.testing.conformance.given import (
    ANOTHER,
    EVERY_OUTCOME,
    FAULT,
    WORKER,
    claim_one,
    every_outcome,
    ids,
    new_task,
    put_and_claim,
    put_many,
    put_one,
    record_of,
)
from taskkitx.testing.conformance.ground import Ground

Stale = Callable[[Backend], Task]


def _claimed_by_another(backend: Backend) -> Task:
    stale = put_and_claim(backend)
    backend.restore(WORKER)
    claim_one(backend, ANOTHER)
    return stale


def _claimed_again_by_the_same_worker(backend: Backend) -> Task:
    stale = put_and_claim(backend)
    backend.finish(WORKER, [Retried(stale, 0.0, FAULT)])
    claim_one(backend)
    return stale


def _restored(backend: Backend) -> Task:
    stale = put_and_claim(backend)
    backend.restore(WORKER)
    return stale


def _released(backend: Backend) -> Task:
    stale = put_and_claim(backend)
    backend.release(WORKER, [stale])
    return stale


def _finished_by_another(backend: Backend) -> Task:
    stale = _claimed_by_another(backend)
    task = record_of(backend, stale).task
    backend.finish(ANOTHER, [Succeeded(task, b"right")])
    return stale


def _owned_by_another(backend: Backend) -> Task:
    return put_and_claim(backend, ANOTHER)


def _never_claimed(backend: Backend) -> Task:
    return put_one(backend)


def _attempt_of_the_future(backend: Backend) -> Task:
    return replace(put_and_claim(backend), attempt=2)


def _cancelled_after_its_release(backend: Backend) -> Task:
    stale = _released(backend)
    backend.cancel([stale.id])
    return stale


EVERY_STALE = pytest.mark.parametrize(
    "stale",
    [
        _claimed_by_another,
        _claimed_again_by_the_same_worker,
        _restored,
        _released,
        _finished_by_another,
        _owned_by_another,
        _never_claimed,
        _attempt_of_the_future,
        _cancelled_after_its_release,
    ],
    ids=lambda given: given.__name__.strip("_"),
)


class FencingConformance(Ground):
    """What is refused, and what is accepted once more."""

    @EVERY_STALE
    @pytest.mark.parametrize("kind", EVERY_OUTCOME)
    def test_a_stale_outcome_changes_nothing(
        self, backend: Backend, stale: Stale, kind: str
    ) -> None:
        task = stale(backend)
        follower = new_task("h")
        before = record_of(backend, task), backend.attempts(task.id)

        accepted = backend.finish(WORKER, [every_outcome(task, then=(follower,))[kind]])

        assert set(accepted) == set()
        assert (record_of(backend, task), backend.attempts(task.id)) == before
        assert backend.get_many([follower.id]) == {}

    @EVERY_STALE
    def test_a_stale_result_changes_nothing(self, backend: Backend, stale: Stale) -> None:
        """The outcome of nearly all attempts may have a way to the store of its own."""
        task = stale(backend)
        before = record_of(backend, task), backend.attempts(task.id)

        accepted = backend.finish(WORKER, [Succeeded(task, b"wrong")])

        assert set(accepted) == set()
        assert (record_of(backend, task), backend.attempts(task.id)) == before

    @EVERY_STALE
    @pytest.mark.parametrize("parked", [False, True])
    def test_a_stale_release_changes_nothing(
        self, backend: Backend, stale: Stale, parked: bool
    ) -> None:
        task = stale(backend)
        before = record_of(backend, task)

        released = backend.release(WORKER, [task], parked=parked)

        assert released == 0
        assert record_of(backend, task) == before

    @EVERY_STALE
    def test_stale_progress_changes_nothing(self, backend: Backend, stale: Stale) -> None:
        task = stale(backend)
        before = record_of(backend, task)

        written = backend.progress(WORKER, task, '{"current": 1}')

        assert written is False
        assert record_of(backend, task) == before

    def test_a_task_that_is_gone_is_refused(self, backend: Backend) -> None:
        gone = replace(new_task(), attempt=1, worker_id=WORKER, state=TaskState.RUNNING)

        accepted = backend.finish(WORKER, list(every_outcome(gone).values()))

        assert set(accepted) == set()
        assert backend.release(WORKER, [gone]) == 0
        assert backend.progress(WORKER, gone, "{}") is False
        assert backend.get_many([gone.id]) == {}

    @pytest.mark.parametrize("kind", EVERY_OUTCOME)
    def test_a_repeated_outcome_is_accepted_and_written_once(
        self, backend: Backend, kind: str
    ) -> None:
        task = put_and_claim(backend)
        follower = new_task("h")
        outcome = every_outcome(task, then=(follower,))[kind]
        backend.finish(WORKER, [outcome])
        backend.discard([follower.id])
        before = record_of(backend, task), backend.attempts(task.id)

        accepted = backend.exchange(WORKER, [outcome], {}).accepted

        assert set(accepted) == {task.id}
        assert (record_of(backend, task), backend.attempts(task.id)) == before
        assert backend.get_many([follower.id]) == {}

    def test_a_repeated_retry_is_refused_once_the_task_was_claimed_again(
        self, backend: Backend
    ) -> None:
        task = put_and_claim(backend)
        outcome = Retried(task, 0.0, FAULT)
        backend.finish(WORKER, [outcome])
        again = claim_one(backend, ANOTHER)

        accepted = backend.finish(WORKER, [outcome])

        assert set(accepted) == set()
        assert record_of(backend, task).task == again

    def test_stale_outcomes_do_not_harm_their_batch(self, backend: Backend) -> None:
        stale = _claimed_by_another(backend)
        put_many(backend, 3)
        owned = backend.claim(WORKER, {"g": 3})
        backend.finish(WORKER, [Succeeded(owned[0], b"repeated")])
        batch = [Succeeded(task, b"new") for task in (stale, *owned)]

        answer = backend.exchange(WORKER, batch, {})

        assert set(answer.accepted) == set(ids(owned))
        records = backend.get_many(ids(owned))
        assert [records[task.id].result for task in owned] == [b"repeated", b"new", b"new"]

    def test_a_result_is_the_owners(self, backend: Backend) -> None:
        stale = _claimed_by_another(backend)
        owner = record_of(backend, stale).task

        refused = backend.finish(WORKER, [Succeeded(stale, b"stale")])
        accepted = backend.finish(ANOTHER, [Succeeded(owner, b"owner")])

        assert (set(refused), set(accepted)) == (set(), {owner.id})
        assert record_of(backend, owner).result == b"owner"
