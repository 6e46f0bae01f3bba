"""What each outcome makes of its task."""

import pytest

from taskkitx.backend import Backend
from taskkitx.errors import StoreRefused
from taskkitx.outcome import Expired, Failed, Fault, Retried, Succeeded
from taskkitx.task import TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    CLOSE,
    CRASH,
    EVERY_END,
    EVERY_OUTCOME,
    FAULT,
    WORKER,
    claim_all,
    claim_one,
    every_outcome,
    ids,
    near,
    new_task,
    put_and_claim,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground


class OutcomeConformance(Ground):
    """`finish`, and outcomes in `exchange`."""

    @pytest.mark.parametrize("kind", EVERY_END)
    def test_an_end(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend, ttl=100.0)
        before = backend.now()

        accepted = backend.finish(WORKER, [every_outcome(task)[kind]])

        record = record_of(backend, task)
        assert set(accepted) == {task.id}
        assert record.state is TaskState[kind.upper()]
        assert record.done is not None
        assert before - CLOSE <= record.done <= backend.now() + CLOSE
        assert record.disposable == near(record.done + 100.0)
        assert (record.task.attempt, record.task.worker_id) == (1, WORKER)
        assert record.task.began == near(task.began)
        assert claim_all(backend) == []

    @pytest.mark.parametrize("result", [b"", b"\x00", bytes(range(256)) * 400])
    def test_a_result_is_kept(self, backend: Backend, result: bytes) -> None:
        task = put_and_claim(backend)

        backend.finish(WORKER, [Succeeded(task, result)])

        record = record_of(backend, task)
        assert (record.result, record.error) == (result, None)

    def test_a_failure_keeps_its_reason(self, backend: Backend) -> None:
        task = put_and_claim(backend)

        backend.finish(WORKER, [Failed(task, FAULT)])

        record = record_of(backend, task)
        assert (record.result, record.error) == (None, FAULT.text)
        assert record.task.retry_count == 0

    @pytest.mark.parametrize("interval", [0.0, -5.0])
    def test_retried_at_once(self, backend: Backend, interval: float) -> None:
        task = put_and_claim(backend)
        before = backend.now()

        backend.finish(WORKER, [Retried(task, interval, FAULT)])

        record = record_of(backend, task)
        assert record.state is TaskState.QUEUED
        assert before - CLOSE <= record.task.due <= backend.now() + CLOSE
        again = claim_one(backend)
        assert (again.id, again.attempt, again.retry_count) == (task.id, 2, 1)

    def test_retried_later(self, backend: Backend, clock: FakeClock) -> None:
        task = put_and_claim(backend)

        backend.finish(WORKER, [Retried(task, 60.0, FAULT)])

        record = record_of(backend, task)
        assert record.state is TaskState.SCHEDULED
        assert record.task.due == near(clock() + 60.0)
        assert (record.done, record.error, record.result) == (None, None, None)
        assert backend.next_due(["g"]) == near(60.0)
        assert claim_all(backend) == []
        clock.advance(61.0)
        assert ids(claim_all(backend)) == [task.id]

    def test_a_retry_may_charge_nothing(self, backend: Backend) -> None:
        task = put_and_claim(backend)

        backend.finish(WORKER, [Retried(task, 0.0, FAULT, charged=False)])

        again = claim_one(backend)
        assert (again.attempt, again.retry_count) == (2, 0)

    def test_history_tells_what_did_not_succeed(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.finish(WORKER, [Retried(task, 0.0, FAULT)])
        again = claim_one(backend, "wk_c")
        backend.finish("wk_c", [Failed(again, Fault("KeyError", "'x'"))])

        first, second = backend.attempts(task.id)

        assert (first.attempt, first.worker_id, first.state) == (1, WORKER, "retried")
        assert (first.kind, first.message, first.trace) == (FAULT.kind, FAULT.message, FAULT.trace)
        assert first.began == near(task.began)
        assert first.began is not None
        assert first.ended >= first.began - CLOSE
        assert (second.attempt, second.worker_id, second.state) == (2, "wk_c", "failed")
        assert (second.kind, second.message, second.trace) == ("KeyError", "'x'", "")

    @pytest.mark.parametrize("kind", ["succeeded", "discarded", "cancelled", "expired"])
    def test_other_ends_leave_no_history(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend)

        backend.finish(WORKER, [every_outcome(task)[kind]])

        assert backend.attempts(task.id) == []

    def test_history_keeps_the_last_100(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        for _ in range(105):
            backend.finish(WORKER, [Retried(task, 0.0, FAULT)])
            task = claim_one(backend)

        history = backend.attempts(task.id)

        assert [attempt.attempt for attempt in history] == list(range(6, 106))

    @pytest.mark.parametrize("kind", EVERY_OUTCOME)
    def test_what_follows_is_put_with_the_outcome(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend)
        follower = new_task("h")
        later = new_task("h", due=backend.now() + 3600)

        backend.finish(WORKER, [every_outcome(task, then=(follower, later))[kind]])

        assert ids(backend.claim(WORKER, {"h": 5})) == [follower.id]
        assert state_of(backend, later) is TaskState.SCHEDULED

    def test_what_follows_may_stand_already(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        standing = put_one(backend, "h")

        accepted = backend.finish(WORKER, [Succeeded(task, b"", then=(standing,))])

        assert set(accepted) == {task.id}
        assert ids(backend.claim(WORKER, {"h": 5})) == [standing.id]

    def test_outcomes_and_claims_in_one_exchange(self, backend: Backend) -> None:
        put_many(backend, 6)
        first, second, third = backend.claim(WORKER, {"g": 3})

        answer = backend.exchange(
            WORKER,
            [Succeeded(first, b"1"), Retried(second, 60.0, FAULT), Failed(third, FAULT)],
            {"g": 2},
        )

        assert set(answer.accepted) == {first.id, second.id, third.id}
        assert len(answer.claims) == 2
        assert {first.id, second.id, third.id}.isdisjoint(ids(answer.claims))
        assert len(claim_all(backend)) == 1

    def test_an_exchange_of_nothing(self, backend: Backend) -> None:
        answer = backend.exchange(WORKER, [], {})

        assert (set(answer.accepted), answer.claims) == (set(), [])
        assert set(backend.finish(WORKER, [])) == set()

    def test_5000_outcomes_in_one_batch(self, backend: Backend) -> None:
        put_many(backend, 5000)
        claims = claim_all(backend)

        accepted = backend.finish(WORKER, [Succeeded(task, task.id.encode()) for task in claims])

        assert set(accepted) == set(ids(claims))
        records = backend.get_many(ids(claims))
        assert {record.result for record in records.values()} == {i.encode() for i in accepted}

    def test_a_task_claimed_too_late_is_still_claimed(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        put_one(backend, expires=10.0)
        clock.advance(60.0)

        task = claim_one(backend)

        assert task.expires == 10.0
        assert task.began == near(clock())
        assert set(backend.finish(WORKER, [Expired(task)])) == {task.id}
        assert state_of(backend, task) is TaskState.EXPIRED

    @pytest.mark.parametrize("kind", EVERY_OUTCOME)
    def test_an_outcome_ends_the_memory_of_a_loss(self, backend: Backend, kind: str) -> None:
        task = put_and_claim(backend)
        backend.restore(WORKER, suspects={task.id: CRASH})
        again = backend.claim_solo(WORKER, ["g"])
        assert again is not None

        backend.finish(WORKER, [every_outcome(again)[kind]])

        assert again.loss == CRASH.cause
        assert record_of(backend, task).task.loss is None

    @pytest.mark.parametrize("text", ["nul \x00 inside", "lone surrogate \ud800"])
    def test_what_a_store_cannot_keep_it_refuses_with_all_outcomes(
        self, backend: Backend, text: str
    ) -> None:
        put_many(backend, 2)
        good, odd = claim_all(backend)

        try:
            backend.finish(WORKER, [Succeeded(good, b""), Failed(odd, Fault("E", text))])
        except StoreRefused:
            expected = ["running", "running", None]
        else:
            expected = ["succeeded", "failed", f"E: {text}"]

        record = record_of(backend, odd)
        states = state_of(backend, good).label, record.state.label
        assert [*states, record.error] == expected
