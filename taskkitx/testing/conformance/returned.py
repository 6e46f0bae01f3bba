"""Claims on their way back: release, parked and solo tasks, what a worker is said to own."""

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Retried
from taskkitx.task import TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    ANOTHER,
    CRASH,
    EVERY_OUTCOME,
    FAULT,
    GONE,
    WORKER,
    claim_all,
    claim_one,
    every_outcome,
    ids,
    make_suspect,
    put_and_claim,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground


class ReturnConformance(Ground):
    """`release`, `claim_parked`, `claim_solo`, `owned`."""

    def test_released_tasks_are_queued_where_they_were(self, backend: Backend) -> None:
        due = backend.now() - 60
        task = put_one(backend, due=due)
        put_many(backend, 2)
        claims = claim_all(backend)

        released = backend.release(WORKER, claims)

        assert released == 3
        kept = record_of(backend, task).task
        assert (kept.state, kept.attempt, kept.worker_id) == (TaskState.QUEUED, 1, None)
        assert (kept.due, kept.retry_count, kept.crashes, kept.loss) == (due, 0, 0, None)
        assert ids(claim_all(backend)) == ids(claims)
        assert backend.attempts(task.id) == []

    def test_the_next_claim_of_a_released_task_is_another_attempt(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.release(WORKER, [task])

        again = claim_one(backend)

        assert (again.id, again.attempt) == (task.id, 2)

    def test_releases_what_is_still_owned(self, backend: Backend) -> None:
        put_many(backend, 4)
        claims = claim_all(backend)
        backend.finish(WORKER, [Retried(claims[0], 60.0, FAULT)])

        released = backend.release(WORKER, claims)

        assert released == 3
        assert backend.release(WORKER, claims) == 0
        assert backend.release(WORKER, []) == 0

    def test_a_parked_task_is_not_claimed_with_its_group(self, backend: Backend) -> None:
        task = put_and_claim(backend)

        released = backend.release(WORKER, [task], parked=True)

        kept = record_of(backend, task).task
        assert released == 1
        assert (kept.state, kept.attempt, kept.worker_id) == (TaskState.PARKED, 1, None)
        assert claim_all(backend) == []
        assert backend.claim_solo(WORKER, ["g"]) is None

    def test_a_parked_task_is_claimed_by_who_knows_its_name(self, backend: Backend) -> None:
        for name in ("new", "other"):
            put_one(backend, name=name)
        put_one(backend, "h", name="new")
        for group in ("g", "h"):
            backend.release(WORKER, claim_all(backend, group=group), parked=True)

        unknown = backend.claim_parked(ANOTHER, "g", ["old", "New"], 5)
        known = backend.claim_parked(ANOTHER, "g", ["old", "new"], 5)

        assert unknown == []
        assert [(task.name, task.group) for task in known] == [("new", "g")]
        assert (known[0].state, known[0].attempt) == (TaskState.RUNNING, 2)
        assert (known[0].worker_id, known[0].retry_count) == (ANOTHER, 0)

    def test_parked_tasks_are_claimed_in_order_up_to_the_limit(self, backend: Backend) -> None:
        tasks = [put_one(backend, priority=priority) for priority in (1, 3, 2)]
        backend.release(WORKER, claim_all(backend), parked=True)

        claims = backend.claim_parked(WORKER, "g", ["n"], 2)

        assert ids(claims) == [tasks[1].id, tasks[2].id]
        assert backend.claim_parked(WORKER, "g", [], 2) == []
        assert backend.claim_parked(WORKER, "g", ["n"], 0) == []

    def test_a_solo_task_is_claimed_in_the_solo_lane_alone(self, backend: Backend) -> None:
        task = make_suspect(backend)

        by_group = claim_all(backend)
        by_name = backend.claim_parked(WORKER, "g", ["n"], 5)
        elsewhere = backend.claim_solo(WORKER, ["h"])
        alone = backend.claim_solo(ANOTHER, ["h", "g"])

        assert (by_group, by_name, elsewhere) == ([], [], None)
        assert alone is not None
        assert (alone.id, alone.state, alone.attempt) == (task.id, TaskState.RUNNING, 2)
        assert (alone.worker_id, alone.loss) == (ANOTHER, CRASH.cause)
        assert backend.claim_solo(WORKER, ["g"]) is None
        assert backend.claim_solo(WORKER, []) is None

    def test_solo_tasks_are_claimed_one_by_one_in_order(self, backend: Backend) -> None:
        tasks = [put_one(backend, priority=priority) for priority in (1, 3, 2)]
        claim_all(backend)
        backend.restore(WORKER, suspects={task.id: CRASH for task in tasks})

        claims = [backend.claim_solo(WORKER, ["g"]) for _ in range(4)]

        order = [task.id if task is not None else None for task in claims]
        assert order == [tasks[1].id, tasks[2].id, tasks[0].id, None]

    @pytest.mark.parametrize("back", ["released", "freed", "lost"])
    def test_a_solo_task_stays_solo_when_it_comes_back(self, backend: Backend, back: str) -> None:
        task = make_suspect(backend)
        claim = backend.claim_solo(WORKER, ["g"])
        assert claim is not None

        if back == "released":
            backend.release(WORKER, [claim])
        else:
            backend.restore(WORKER, lost=GONE if back == "lost" else None)

        kept = record_of(backend, task).task
        assert (kept.state, kept.attempt) == (TaskState.SOLO, 2)
        assert kept.loss == (GONE.cause if back == "lost" else CRASH.cause)

    @pytest.mark.parametrize("kind", EVERY_OUTCOME)
    def test_a_solo_task_with_an_outcome_is_a_suspect_no_more(
        self, backend: Backend, kind: str
    ) -> None:
        task = make_suspect(backend)
        claim = backend.claim_solo(WORKER, ["g"])
        assert claim is not None

        backend.finish(WORKER, [every_outcome(claim)[kind]])

        backend.retry([task.id])
        assert state_of(backend, task) in (TaskState.QUEUED, TaskState.SCHEDULED)

    def test_owned_is_what_the_worker_runs(self, backend: Backend) -> None:
        put_many(backend, 4)
        claims = backend.claim(WORKER, {"g": 3})
        backend.claim(ANOTHER, {"g": 1})
        backend.finish(WORKER, [Retried(claims[0], 0.0, FAULT)])
        again = claim_one(backend)

        owned = backend.owned(WORKER, older_than=-60.0)

        assert sorted(owned) == sorted((task.id, task.attempt) for task in (*claims[1:], again))
        assert backend.owned("wk_unknown", older_than=-60.0) == []

    def test_owned_may_ask_for_old_claims(self, backend: Backend, clock: FakeClock) -> None:
        put_many(backend, 2)
        (old,) = backend.claim(WORKER, {"g": 1})
        clock.advance(8.0)
        backend.claim(WORKER, {"g": 1})
        clock.advance(4.0)

        owned = backend.owned(WORKER, older_than=10.0)

        assert owned == [(old.id, 1)]

    def test_a_claim_nobody_knows_of_can_be_reconciled(self, backend: Backend) -> None:
        put_many(backend, 2)
        known = claim_all(backend)[:1]

        unknown = dict(backend.owned(WORKER, -60.0)).keys() - set(ids(known))
        claims = [record.task for record in backend.get_many(unknown).values()]
        released = backend.release(WORKER, claims)

        assert released == 1
        assert set(ids(claim_all(backend, ANOTHER))) == unknown
