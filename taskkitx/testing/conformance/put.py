"""Tasks come in: what is stored, when it is due, and what already stands."""

from contextlib import suppress
from dataclasses import replace

import pytest

from taskkitx.backend import Backend
from taskkitx.errors import StoreRefused
from taskkitx.task import Task, TaskState, UniqueUntil
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    CLOSE,
    WORKER,
    claim_all,
    claim_one,
    ids,
    near,
    new_task,
    put_and_finish,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import BeginTransaction, Ground


class PutConformance(Ground):
    """`put`."""

    def test_answers_for_every_task_in_order(self, backend: Backend) -> None:
        tasks = [new_task(group) for group in ("b", "a", "c")]

        answers = backend.put(tasks)

        assert [(put.id, put.created) for put in answers] == [(task.id, True) for task in tasks]

    def test_keeps_every_field(self, backend: Backend, other: Backend) -> None:
        due = backend.now() + 3600
        task = Task.init(
            "mail",
            "send",
            b"\x00\xff",
            due=due,
            scheduled=due - 0.5,
            ttl=12.5,
            priority=-3,
            timeout=7.25,
            expires=99.0,
            unique_key="key",
            unique_until=UniqueUntil.DONE,
            headers={"trace": "1-2-3", "": "empty"},
        )

        backend.put([task])

        kept = record_of(other, task).task
        assert kept == replace(task, created=kept.created)

    def test_nothing_put_is_nothing_done(self, backend: Backend) -> None:
        assert backend.put([]) == []

    def test_created_and_due_are_the_stores_now(self, backend: Backend) -> None:
        task = replace(new_task(), created=1.0, due=2.0)
        before = backend.now()

        backend.put([task])

        kept = record_of(backend, task).task
        assert before - CLOSE <= kept.created <= backend.now() + CLOSE
        assert kept.due == near(kept.created)

    def test_a_task_that_is_due_in_the_future_is_scheduled(self, backend: Backend) -> None:
        task = put_one(backend, due=backend.now() + 3600)

        claims = claim_all(backend)

        assert claims == []
        assert state_of(backend, task) is TaskState.SCHEDULED

    def test_a_task_that_was_due_in_the_past_is_claimed(self, backend: Backend) -> None:
        task = put_one(backend, due=backend.now() - 3600)

        claims = claim_all(backend)

        assert ids(claims) == [task.id]
        assert claims[0].due == task.due

    def test_a_delay_counts_from_the_stores_now(self, backend: Backend, clock: FakeClock) -> None:
        task = put_one(backend, delay=90.0)

        kept = record_of(backend, task).task

        assert kept.due == near(clock() + 90.0)
        assert kept.delay is None

    def test_an_id_that_stands_is_not_put_again(self, backend: Backend, other: Backend) -> None:
        task = put_one(backend, data=b"first")

        (answer,) = other.put([replace(task, data=b"second")])

        assert answer == (task.id, False)
        assert record_of(backend, task).task.data == b"first"

    def test_a_finished_task_still_stands(self, backend: Backend) -> None:
        task = put_and_finish(backend)

        (answer,) = backend.put([task])

        assert not answer.created
        assert state_of(backend, task) is TaskState.SUCCEEDED

    def test_the_first_of_the_same_id_in_a_batch_stands(self, backend: Backend) -> None:
        task = new_task(data=b"first")

        answers = backend.put([task, new_task("h"), replace(task, data=b"second")])

        assert [put.created for put in answers] == [True, True, False]
        assert answers[2].id == task.id
        assert claim_one(backend).data == b"first"

    def test_new_tasks_beside_standing_ones_are_put(self, backend: Backend) -> None:
        standing, new = put_one(backend), new_task()

        answers = backend.put([standing, new])

        assert [put.created for put in answers] == [False, True]
        assert set(ids(claim_all(backend))) == {standing.id, new.id}

    def test_a_batch_of_5000(self, backend: Backend) -> None:
        tasks = [new_task(data=b"%d" % number) for number in range(5000)]

        answers = backend.put(tasks)

        assert [put.id for put in answers] == ids(tasks)
        claims = claim_all(backend)
        assert {task.id: task.data for task in claims} == {task.id: task.data for task in tasks}

    @pytest.mark.parametrize("text", ["nul \x00 inside", "lone surrogate \ud800"])
    def test_what_a_store_cannot_keep_it_refuses_with_its_whole_batch(
        self, backend: Backend, text: str
    ) -> None:
        good, odd = new_task(), new_task(headers={"text": text})

        try:
            backend.put([good, odd])
        except StoreRefused:
            kept = None
        else:
            kept = record_of(backend, odd).task.headers

        known = backend.get_many([good.id, odd.id]).keys()
        assert (kept, set(known)) in ((None, set()), ({"text": text}, {good.id, odd.id}))

    def test_joins_a_transaction(
        self, backend: Backend, other: Backend, begin: BeginTransaction
    ) -> None:
        task = new_task()

        with begin() as connection:
            (answer,) = backend.put([task], connection=connection)
            seen_before_commit = other.get_many([task.id])

        assert answer == (task.id, True)
        assert seen_before_commit == {}
        assert ids(other.claim(WORKER, {"g": 1})) == [task.id]

    def test_goes_with_a_transaction_that_is_rolled_back(
        self, backend: Backend, begin: BeginTransaction
    ) -> None:
        task = new_task()

        with suppress(ZeroDivisionError), begin() as connection:
            backend.put([task], connection=connection)
            raise ZeroDivisionError

        assert backend.get_many([task.id]) == {}
