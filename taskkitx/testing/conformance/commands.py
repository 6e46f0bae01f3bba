"""What people command: cancel, retry, discard; and progress, which they look at."""

from collections.abc import Callable

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Cancelled, Expired, Failed, Retried, Succeeded
from taskkitx.task import Task, TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    ANOTHER,
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
    near,
    put_and_claim,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground

Given = Callable[[Backend], Task]


def _queued(backend: Backend) -> Task:
    return put_one(backend)


def _scheduled(backend: Backend) -> Task:
    return put_one(backend, due=backend.now() + 3600)


def _solo(backend: Backend) -> Task:
    return make_suspect(backend)


def _parked(backend: Backend) -> Task:
    task = put_and_claim(backend)
    backend.release(WORKER, [task], parked=True)
    return task


def _retried(backend: Backend) -> Task:
    task = put_and_claim(backend)
    backend.finish(WORKER, [Retried(task, 3600.0, FAULT)])
    return task


EVERY_WAITING = pytest.mark.parametrize(
    "waiting",
    [_queued, _scheduled, _solo, _parked, _retried],
    ids=lambda given: given.__name__.strip("_"),
)


class CancelConformance(Ground):
    """`cancel`, `cancel_requested`."""

    @EVERY_WAITING
    def test_what_waits_is_cancelled_at_once(self, backend: Backend, waiting: Given) -> None:
        task = waiting(backend)
        before = backend.now()

        states = backend.cancel([task.id], by="somebody")

        record = record_of(backend, task)
        assert states == {task.id: TaskState.CANCELLED}
        assert (record.state, record.cancelled_by) == (TaskState.CANCELLED, "somebody")
        assert record.done is not None
        assert before - CLOSE <= record.done <= backend.now() + CLOSE
        assert record.disposable == near(record.done + task.ttl)
        assert record.cancel_requested == near(record.done)
        assert claim_all(backend) == []
        assert backend.claim_solo(WORKER, ["g"]) is None
        assert backend.claim_parked(WORKER, "g", ["n"], 1) == []
        assert backend.next_due(["g"]) is None

    def test_what_runs_is_asked(self, backend: Backend, other: Backend) -> None:
        task, unasked = put_and_claim(backend), put_and_claim(backend)
        put_and_claim(backend, ANOTHER)

        states = other.cancel([task.id], by="somebody")

        record = record_of(backend, task)
        assert states == {task.id: TaskState.RUNNING}
        assert (record.state, record.cancelled_by) == (TaskState.RUNNING, "somebody")
        assert record.cancel_requested is not None
        assert set(backend.cancel_requested(WORKER)) == {task.id}
        assert set(backend.cancel_requested(ANOTHER)) == set()
        assert record_of(backend, unasked).cancel_requested is None

    def test_who_asked_first_is_kept(self, backend: Backend, clock: FakeClock) -> None:
        task = put_and_claim(backend)
        backend.cancel([task.id], by="first")
        before = record_of(backend, task)
        clock.advance(5.0)

        backend.cancel([task.id], by="second")

        assert record_of(backend, task) == before

    @pytest.mark.parametrize("kind", EVERY_END)
    def test_what_has_finished_stays_as_it_is(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend)
        backend.finish(WORKER, [every_outcome(task)[kind]])
        before = record_of(backend, task)

        states = backend.cancel([task.id])

        assert states == {task.id: before.state}
        assert record_of(backend, task) == before

    def test_unknown_tasks_are_missing_in_the_answer(self, backend: Backend) -> None:
        task = put_one(backend)

        states = backend.cancel([task.id, "g_unknown"])

        assert states == {task.id: TaskState.CANCELLED}
        assert backend.cancel([]) == {}

    @pytest.mark.parametrize("kind", EVERY_END)
    def test_a_task_may_end_as_it_likes_after_a_request(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend)
        backend.cancel([task.id], by="somebody")

        backend.finish(WORKER, [every_outcome(task)[kind]])

        record = record_of(backend, task)
        assert record.state is TaskState[kind.upper()]
        assert record.cancelled_by == "somebody"
        assert set(backend.cancel_requested(WORKER)) == set()

    @pytest.mark.parametrize(
        "back", ["retried at once", "retried later", "released", "parked", "freed", "lost"]
    )
    def test_a_task_asked_to_cancel_never_waits_again(self, backend: Backend, back: str) -> None:
        task = put_and_claim(backend)
        backend.cancel([task.id])
        before = backend.now()

        match back:
            case "retried at once" | "retried later":
                interval = 0.0 if back == "retried at once" else 60.0
                assert set(backend.finish(WORKER, [Retried(task, interval, FAULT)])) == {task.id}
            case "released" | "parked":
                assert backend.release(WORKER, [task], parked=back == "parked") == 1
            case _:
                assert backend.restore(WORKER, lost=GONE if back == "lost" else None) == 1

        record = record_of(backend, task)
        assert record.state is TaskState.CANCELLED
        assert record.done is not None
        assert before - CLOSE <= record.done <= backend.now() + CLOSE
        assert record.disposable == near(record.done + task.ttl)
        assert claim_all(backend) == []

    def test_nor_in_the_solo_lane(self, backend: Backend) -> None:
        put_many(backend, 2)
        guilty, suspect = claim_all(backend)
        backend.cancel([guilty.id, suspect.id])

        backend.restore(WORKER, charged={guilty.id: CRASH}, suspects={suspect.id: CRASH})

        assert state_of(backend, guilty) is TaskState.CANCELLED
        assert state_of(backend, suspect) is TaskState.CANCELLED

    def test_a_repeated_retry_of_a_cancelled_task_is_accepted(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.cancel([task.id])
        outcome = Retried(task, 0.0, FAULT)
        backend.finish(WORKER, [outcome])

        accepted = backend.finish(WORKER, [outcome])

        assert set(accepted) == {task.id}
        assert len(backend.attempts(task.id)) == 1


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

    def test_a_discarded_id_can_be_put_again_without_its_past(self, backend: Backend) -> None:
        task = put_one(backend)
        backend.finish(WORKER, [Failed(claim_one(backend), FAULT)])
        backend.discard([task.id])

        (answer,) = backend.put([task])

        assert answer.created
        assert backend.attempts(task.id) == []
        assert claim_one(backend).attempt == 1


class ProgressConformance(Ground):
    """`progress`."""

    def test_progress_of_the_owner_is_kept(self, backend: Backend, other: Backend) -> None:
        task = put_and_claim(backend)

        written = [backend.progress(WORKER, task, text) for text in ('{"n": 1}', '{"n": "é"}')]

        assert written == [True, True]
        record = record_of(other, task)
        assert (record.progress, record.state) == ('{"n": "é"}', TaskState.RUNNING)

    def test_progress_outlasts_the_end(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.progress(WORKER, task, "1")

        backend.finish(WORKER, [Succeeded(task, b"")])

        assert record_of(backend, task).progress == "1"

    def test_the_answer_tells_of_a_cancel(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.progress(WORKER, task, "1")
        backend.cancel([task.id])

        written = backend.progress(WORKER, task, "2")

        assert written is False
        assert record_of(backend, task).progress == "1"
        assert set(backend.finish(WORKER, [Cancelled(task)])) == {task.id}
