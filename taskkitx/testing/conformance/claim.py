"""Claims: which tasks, in which order, how many, and what a claim shows."""

import random

import pytest

from taskkitx.backend import Backend
from taskkitx.task import Task, TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    ANOTHER,
    CLOSE,
    WORKER,
    claim_all,
    claim_one,
    ids,
    near,
    new_task,
    put_many,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground


class ClaimConformance(Ground):
    """`claim`, `next_due`, and claiming in `exchange`."""

    def test_a_claim_shows_the_task_as_it_is_now(self, backend: Backend, other: Backend) -> None:
        put_one(backend, priority=7, headers={"a": "b"})
        before = backend.now()

        task = claim_one(backend)

        assert (task.state, task.attempt, task.worker_id) == (TaskState.RUNNING, 1, WORKER)
        assert task.began is not None
        assert before - CLOSE <= task.began <= backend.now() + CLOSE
        assert record_of(other, task).task == task

    def test_claimed_tasks_are_claimed_once(self, backend: Backend, other: Backend) -> None:
        put_many(backend, 10)

        first = backend.claim(WORKER, {"g": 6})
        rest = other.claim(ANOTHER, {"g": 6})

        assert (len(first), len(rest)) == (6, 4)
        assert len({*ids(first), *ids(rest)}) == 10
        assert claim_all(backend) == []

    def test_takes_what_each_group_is_wanted_for(self, backend: Backend) -> None:
        for group in ("a", "b", "c", "d"):
            put_many(backend, 5, group)

        claims = backend.claim(WORKER, {"a": 3, "b": 9, "c": 0, "e": 2})

        by_group = {group: len(tasks) for group, tasks in Task.group_tasks(*claims).items()}
        assert by_group == {"a": 3, "b": 5}

    @pytest.mark.parametrize("wanted", [{}, {"g": 0}, {"g": -1}])
    def test_takes_nothing_when_nothing_is_wanted(
        self, backend: Backend, wanted: dict[str, int]
    ) -> None:
        task = put_one(backend)

        answer = backend.exchange(WORKER, [], wanted)

        assert (set(answer.accepted), answer.claims) == (set(), [])
        assert state_of(backend, task) is TaskState.QUEUED

    def test_the_higher_priority_first(self, backend: Backend) -> None:
        low, high, normal = (put_one(backend, priority=priority) for priority in (-5, 1_000_000, 0))

        claims = claim_all(backend)

        assert ids(claims) == [high.id, normal.id, low.id]

    def test_then_what_is_due_longer(self, backend: Backend) -> None:
        now = backend.now()
        tasks = [put_one(backend, due=now - ago) for ago in (10, 30.5, 20, 30.25)]

        claims = claim_all(backend)

        assert ids(claims) == [tasks[index].id for index in (1, 3, 2, 0)]

    def test_then_the_smaller_id(self, backend: Backend) -> None:
        due = backend.now() - 60
        tasks = [new_task(due=due) for _ in range(20)]
        backend.put(sorted(tasks, key=lambda task: task.id, reverse=True))

        claims = claim_all(backend)

        assert ids(claims) == sorted(ids(tasks))

    def test_order_holds_over_many_claims(self, backend: Backend) -> None:
        seeded = random.Random(7)
        now = backend.now()
        tasks = [
            new_task(priority=seeded.randint(-2, 2), due=now - seeded.randint(1, 9))
            for _ in range(300)
        ]
        backend.put(tasks)

        claimed: list[str] = []
        while page := backend.claim(WORKER, {"g": 7}):
            claimed += ids(page)

        expected = sorted(tasks, key=lambda task: (-task.priority, task.due, task.id))
        assert claimed == ids(expected)

    def test_a_scheduled_task_is_claimed_once_it_is_due(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        task = put_one(backend, due=clock() + 60)
        clock.advance(59.5)
        too_early = claim_all(backend)

        clock.advance(0.6)
        in_time = claim_all(backend)

        assert (ids(too_early), ids(in_time)) == ([], [task.id])

    def test_promotion_keeps_the_order(self, backend: Backend, clock: FakeClock) -> None:
        now = clock()
        urgent, later, sooner = (
            put_one(backend, due=now + wait, priority=priority)
            for wait, priority in ((30, 1), (20, 0), (10, 0))
        )
        clock.advance(5)
        between = put_one(backend)

        clock.advance(60)
        claims = claim_all(backend)

        assert ids(claims) == [urgent.id, between.id, sooner.id, later.id]

    def test_next_due_is_the_nearest_of_these_groups(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        for group, wait in (("a", 30), ("a", 20), ("b", 10), ("c", 5)):
            put_one(backend, group, due=clock() + wait)
        put_one(backend, "a")

        assert backend.next_due(["a"]) == near(20)
        assert backend.next_due(["a", "b"]) == near(10)
        assert backend.next_due(["d"]) is None
        assert backend.next_due([]) is None

    def test_next_due_is_not_positive_when_something_is_due(
        self, backend: Backend, clock: FakeClock
    ) -> None:
        put_one(backend, due=clock() + 30)

        clock.advance(31)

        wait = backend.next_due(["g"])
        assert wait is not None
        assert wait <= 0

    def test_claims_leave_the_others_scheduled(self, backend: Backend, clock: FakeClock) -> None:
        put_one(backend, due=clock() + 10)
        put_one(backend, due=clock() + 40)
        clock.advance(20)

        claims = claim_all(backend)

        assert len(claims) == 1
        assert backend.next_due(["g"]) == near(20)
