"""Cancelling, and progress, whose answer tells of it."""

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Cancelled, Retried, Succeeded
from taskkitx.task import TaskState
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
    every_outcome,
    near,
    put_and_claim,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground
from taskkitx.testing.conformance.waiting import EVERY_WAITING, Given


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

    def test_only_tasks_in_the_wanted_states_are_cancelled(self, backend: Backend) -> None:
        running = put_and_claim(backend)
        queued = put_one(backend)
        later = put_one(backend, delay=60.0)

        states = backend.cancel([running.id, queued.id, later.id], states={TaskState.QUEUED})

        assert states == {
            running.id: TaskState.RUNNING,
            queued.id: TaskState.CANCELLED,
            later.id: TaskState.SCHEDULED,
        }
        assert list(backend.cancel_requested(WORKER)) == []
        assert record_of(backend, later).cancel_requested is None

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
