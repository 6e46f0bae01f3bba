"""Commands on tasks that have come to an end, or never shall: retry and discard."""

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Expired, Failed, Retried, Succeeded
from taskkitx.task import TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    CLOSE,
    CRASH,
    EVERY_END,
    FAULT,
    GONE,
    WORKER,
    claim_all,
    claim_one,
    every_outcome,
    ids,
    make_suspect,
    put_and_claim,
    put_and_finish,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground
from taskkitx.testing.conformance.waiting import EVERY_WAITING, Given


class RetryConformance(Ground):
    """`retry`, `discard`."""

    @pytest.mark.parametrize("kind", EVERY_END)
    def test_a_finished_task_begins_anew(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend, data=b"kept", priority=3)
        backend.progress(WORKER, task, "{}")
        backend.cancel([task.id], by="somebody")
        backend.finish(WORKER, [every_outcome(task)[kind]])
        before = backend.now()

        retried = backend.retry([task.id])

        record = record_of(backend, task)
        assert retried == 1
        assert record.state is TaskState.QUEUED
        assert before - CLOSE <= record.task.due <= backend.now() + CLOSE
        assert (record.result, record.error, record.done, record.disposable) == (None,) * 4
        assert (record.progress, record.cancel_requested, record.cancelled_by) == (None,) * 3
        again = claim_one(backend)
        assert (again.attempt, again.data, again.priority) == (2, b"kept", 3)
        assert set(backend.finish(WORKER, [Succeeded(again, b"")])) == {task.id}

    def test_counters_begin_anew_and_history_is_kept(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        task = put_and_claim(backend)
        backend.finish(WORKER, [Retried(task, 0.0, FAULT)])
        claim_one(backend)
        backend.restore(WORKER, lost=GONE)
        clock.advance(11.0)
        claim_one(backend)
        backend.restore(WORKER, charged={task.id: CRASH})
        clock.advance(11.0)
        last = backend.claim_solo(WORKER, ["g"])
        assert last is not None
        assert (last.retry_count, last.lost, last.crashes) == (1, 1, 1)
        backend.finish(WORKER, [Failed(last, FAULT)])

        backend.retry([task.id])

        kept = record_of(backend, task).task
        assert (kept.retry_count, kept.lost, kept.crashes, kept.loss) == (0, 0, 0, None)
        states = [attempt.state for attempt in backend.attempts(task.id)]
        assert states == ["retried", "lost", "crashed", "failed"]
        assert claim_one(backend).attempt == 5

    def test_a_cancelled_suspect_begins_anew_among_others(self, backend: Backend) -> None:
        task = make_suspect(backend)
        backend.cancel([task.id])

        backend.retry([task.id])

        again = claim_one(backend)
        assert (again.id, again.loss) == (task.id, None)

    def test_an_expired_task_is_given_time(self, backend: Backend, clock: FakeClock) -> None:
        put_one(backend, expires=10.0)
        clock.advance(60.0)
        task = claim_one(backend)
        backend.finish(WORKER, [Expired(task)])

        backend.retry([task.id])

        assert claim_one(backend).expires is None

    def test_what_has_not_finished_is_not_retried(self, backend: Backend) -> None:
        running = put_and_claim(backend)
        tasks = [running, put_one(backend), put_one(backend, due=backend.now() + 60)]
        before = [record_of(backend, task) for task in tasks]

        retried = backend.retry([*ids(tasks), "g_unknown"])

        assert retried == 0
        assert [record_of(backend, task) for task in tasks] == before
        assert backend.retry([]) == 0

    def test_retries_many(self, backend: Backend) -> None:
        tasks = put_many(backend, 30)
        claims = claim_all(backend)
        backend.finish(WORKER, [Failed(task, FAULT) for task in claims[:20]])

        retried = backend.retry(ids(tasks))

        assert retried == 20
        assert len(claim_all(backend)) == 20

    @EVERY_WAITING
    def test_what_waits_can_be_discarded(self, backend: Backend, waiting: Given) -> None:
        task = waiting(backend)

        discarded = backend.discard([task.id])

        assert discarded == 1
        assert backend.get_many([task.id]) == {}
        assert backend.attempts(task.id) == []
        assert claim_all(backend) == []

    @pytest.mark.parametrize("kind", EVERY_END)
    def test_what_has_finished_can_be_discarded(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend)
        backend.finish(WORKER, [every_outcome(task)[kind]])

        discarded = backend.discard([task.id, "g_unknown"])

        assert discarded == 1
        assert backend.get_many([task.id]) == {}
        assert backend.attempts(task.id) == []

    def test_what_runs_is_not_discarded(self, backend: Backend) -> None:
        task = put_and_claim(backend)

        discarded = backend.discard([task.id])

        assert discarded == 0
        assert state_of(backend, task) is TaskState.RUNNING
        assert backend.discard([]) == 0

    def test_only_tasks_in_the_wanted_states_begin_anew(self, backend: Backend) -> None:
        succeeded = put_and_finish(backend)
        failed = put_and_claim(backend)
        backend.finish(WORKER, [Failed(failed, FAULT)])
        both = [succeeded.id, failed.id]

        assert backend.retry(both, states={TaskState.FAILED}) == 1

        assert state_of(backend, succeeded) is TaskState.SUCCEEDED
        assert state_of(backend, failed) is TaskState.QUEUED
        assert backend.retry(both, states={TaskState.FAILED}) == 0
        assert backend.retry(both, states=()) == 0

    def test_only_tasks_in_the_wanted_states_are_discarded(self, backend: Backend) -> None:
        succeeded = put_and_finish(backend)
        failed = put_and_claim(backend)
        backend.finish(WORKER, [Failed(failed, FAULT)])
        backend.retry([failed.id])
        all_ids = [succeeded.id, failed.id]

        assert backend.discard(all_ids, states={TaskState.FAILED, TaskState.RUNNING}) == 0
        assert backend.discard(all_ids, states={TaskState.SUCCEEDED}) == 1

        assert state_of(backend, failed) is TaskState.QUEUED
        assert backend.discard(all_ids, states=()) == 0

    def test_a_discarded_id_can_be_put_again_without_its_past(self, backend: Backend) -> None:
        task = put_one(backend)
        backend.finish(WORKER, [Failed(claim_one(backend), FAULT)])
        backend.discard([task.id])

        (answer,) = backend.put([task])

        assert answer.created
        assert backend.attempts(task.id) == []
        assert claim_one(backend).attempt == 1
