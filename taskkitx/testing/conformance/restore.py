"""Taking tasks back from a dead worker: who is charged, who is suspected, who simply goes on."""

from taskkitx.backend import Backend
from taskkitx.outcome import Failed
from taskkitx.record import Lost, WorkerRecord
from taskkitx.task import Task, TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    ANOTHER,
    CLOSE,
    CRASH,
    FAULT,
    GONE,
    WORKER,
    claim_all,
    claim_one,
    ids,
    near,
    put_and_claim,
    put_and_finish,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground


class RestoreConformance(Ground):
    """`restore`."""

    def test_the_innocent_are_queued_where_they_were(self, backend: Backend) -> None:
        due = backend.now() - 60
        task = put_one(backend, due=due)
        claim_one(backend)

        restored = backend.restore(WORKER)

        kept = record_of(backend, task).task
        assert restored == 1
        assert (kept.state, kept.due, kept.attempt) == (TaskState.QUEUED, due, 1)
        assert (kept.worker_id, kept.crashes, kept.lost, kept.loss) == (None, 0, 0, None)
        assert kept.retry_count == 0
        assert backend.attempts(task.id) == []
        assert claim_one(backend, ANOTHER).attempt == 2

    def test_only_what_the_dead_worker_runs(self, backend: Backend) -> None:
        finished, running = put_and_finish(backend), put_and_claim(backend)
        of_another, waiting = put_and_claim(backend, ANOTHER), put_one(backend)
        others = [finished, of_another, waiting]
        before = [record_of(backend, task) for task in others]
        charged = dict.fromkeys(ids([*others, running]), CRASH)

        restored = backend.restore(WORKER, charged=charged)

        assert restored == 1
        assert [record_of(backend, task) for task in others] == before

    def test_the_guilty_are_charged(self, backend: Backend) -> None:
        guilty, innocent = _two_running(backend)

        restored = backend.restore(WORKER, charged={guilty.id: CRASH})

        kept = record_of(backend, guilty).task
        (attempt,) = backend.attempts(guilty.id)
        assert restored == 2
        assert (kept.crashes, kept.loss, kept.worker_id) == (1, CRASH.cause, None)
        assert (kept.retry_count, kept.lost, kept.attempt) == (0, 0, 1)
        assert (attempt.attempt, attempt.worker_id) == (1, WORKER)
        assert (attempt.state, attempt.kind) == ("crashed", "crash")
        assert (attempt.message, attempt.trace) == (CRASH.cause, CRASH.trace)
        assert ids(claim_all(backend)) == [innocent.id]

    def test_the_guilty_run_alone_after_a_growing_back_off(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        task = put_and_claim(backend)

        for crashes, back_off in ((1, 10.0), (2, 20.0), (3, 40.0)):
            backend.restore(WORKER, charged={task.id: CRASH})
            kept = record_of(backend, task).task
            assert (kept.state, kept.crashes) == (TaskState.SOLO, crashes)
            assert kept.due == near(clock() + back_off)
            clock.advance(back_off - 1.0)
            assert (claim_all(backend), backend.claim_solo(WORKER, ["g"])) == ([], None)
            clock.advance(2.0)
            assert claim_all(backend) == []
            assert backend.claim_solo(WORKER, ["g"]) is not None

        assert [attempt.attempt for attempt in backend.attempts(task.id)] == [1, 2, 3]

    def test_without_a_crash_left_a_charged_task_does_not_wait(self, backend: Backend) -> None:
        task = put_and_claim(backend)

        backend.restore(WORKER, charged={task.id: CRASH._replace(again=False)})

        failing = backend.claim_solo(WORKER, ["g"])
        assert failing is not None
        assert (failing.id, failing.crashes, failing.loss) == (task.id, 1, CRASH.cause)

    def test_an_innocent_that_is_told_runs_with_the_others(self, backend: Backend) -> None:
        told, innocent = _two_running(backend)

        backend.restore(WORKER, suspects={told.id: CRASH._replace(alone=False)})

        claims = {claim.id: claim for claim in claim_all(backend)}
        assert set(claims) == {told.id, innocent.id}
        assert (claims[told.id].loss, claims[innocent.id].loss) == (CRASH.cause, None)
        assert (claims[told.id].crashes, claims[told.id].lost) == (0, 0)

    def test_suspects_run_alone_at_once_uncharged(self, backend: Backend) -> None:
        suspect, innocent = _two_running(backend)

        restored = backend.restore(WORKER, suspects={suspect.id: CRASH})

        kept = record_of(backend, suspect).task
        assert restored == 2
        assert (kept.state, kept.loss, kept.worker_id) == (TaskState.SOLO, CRASH.cause, None)
        assert (kept.crashes, kept.lost, kept.retry_count) == (0, 0, 0)
        assert backend.attempts(suspect.id) == []
        assert ids(claim_all(backend)) == [innocent.id]
        alone = backend.claim_solo(WORKER, ["g"])
        assert alone is not None
        assert alone.id == suspect.id

    def test_tasks_lost_with_their_host(self, backend: Backend, clock: FakeClock) -> None:
        task = put_and_claim(backend)

        restored = backend.restore(WORKER, lost=GONE)

        kept = record_of(backend, task).task
        (attempt,) = backend.attempts(task.id)
        assert restored == 1
        assert (kept.lost, kept.crashes, kept.retry_count) == (1, 0, 0)
        assert (kept.loss, kept.worker_id) == (GONE.cause, None)
        assert clock() - CLOSE <= kept.due <= clock() + 10.0 + CLOSE
        assert (attempt.state, attempt.kind, attempt.message) == ("lost", "lost", GONE.cause)
        clock.advance(11.0)
        assert ids(claim_all(backend)) == [task.id]

    def test_from_the_second_loss_on_they_run_alone(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        task = put_and_claim(backend)
        backend.restore(WORKER, lost=GONE)
        clock.advance(11.0)
        claim_one(backend)

        backend.restore(WORKER, lost=GONE)

        kept = record_of(backend, task).task
        assert (kept.state, kept.lost) == (TaskState.SOLO, 2)
        assert clock() - CLOSE <= kept.due <= clock() + 20.0 + CLOSE
        clock.advance(21.0)
        assert claim_all(backend) == []
        assert backend.claim_solo(WORKER, ["g"]) is not None

    def test_the_back_off_of_lost_tasks_is_spread(self, backend: Backend, clock: FakeClock) -> None:
        put_many(backend, 50)
        claims = claim_all(backend)

        backend.restore(WORKER, lost=GONE)

        records = backend.get_many(ids(claims)).values()
        assert len({round(record.task.due - clock()) for record in records}) > 3

    def test_all_verdicts_at_once(self, backend: Backend) -> None:
        put_many(backend, 4)
        guilty, suspect, first, second = claim_all(backend)

        restored = backend.restore(
            WORKER, charged={guilty.id: CRASH}, suspects={suspect.id: Lost("x")}, lost=GONE
        )

        counted = [
            (task.crashes, task.lost, task.loss)
            for task in (record_of(backend, one).task for one in (guilty, suspect, first, second))
        ]
        assert restored == 4
        assert counted == [
            (1, 0, CRASH.cause),
            (0, 0, "x"),
            (0, 1, GONE.cause),
            (0, 1, GONE.cause),
        ]

    def test_goes_in_pages_until_nothing_is_left(self, backend: Backend) -> None:
        backend.register(WorkerRecord(WORKER), ttl=30.0)
        tasks = put_many(backend, 25)
        claim_all(backend)
        charged = {tasks[0].id: CRASH, tasks[24].id: CRASH}

        pages: list[tuple[int, int]] = []
        while restored := backend.restore(WORKER, charged=charged, limit=10):
            pages.append((restored, len(backend.workers())))

        assert pages == [(10, 1), (10, 1), (5, 0)]
        records = backend.get_many(ids(tasks)).values()
        assert sorted(record.task.crashes for record in records) == [0] * 23 + [1, 1]

    def test_restoring_again_does_nothing(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.restore(WORKER, charged={task.id: CRASH})
        before = record_of(backend, task)

        restored = backend.restore(WORKER, charged={task.id: CRASH})

        assert restored == 0
        assert record_of(backend, task) == before

    def test_a_worker_nobody_knows(self, backend: Backend) -> None:
        assert backend.restore("wk_unknown", lost=GONE) == 0

    def test_a_failure_after_a_loss_is_told_with_it(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.restore(WORKER, suspects={task.id: CRASH})
        alone = backend.claim_solo(ANOTHER, ["g"])
        assert alone is not None

        backend.finish(ANOTHER, [Failed(alone, FAULT)])

        assert state_of(backend, task) is TaskState.FAILED
        assert [attempt.state for attempt in backend.attempts(task.id)] == ["failed"]


def _two_running(backend: Backend) -> list[Task]:
    put_many(backend, 2)
    return claim_all(backend)
