"""Many at once: threads with an instance each, as processes would have, on one store."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from taskkitx.backend import Backend
from taskkitx.outcome import Failed, Outcome, Retried, Succeeded
from taskkitx.task import Task, TaskState
from taskkitx.testing.conformance.given import (
    CRASH,
    FAULT,
    WORKER,
    claim_all,
    ids,
    new_task,
    put_many,
)
from taskkitx.testing.conformance.ground import Ground, MakeBackend

Answer = TypeVar("Answer")
DEADLINE = 60.0
MANY = 16
FEW = 8


class RacingConformance(Ground):
    """What holds however the verbs meet."""

    def test_every_attempt_is_claimed_once(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        tasks = put_many(backend, 2000)
        seeded = [random.Random(number) for number in range(FEW)]

        def work(mine: Backend, number: int) -> tuple[list[tuple[str, int]], list[str]]:
            claimed: list[tuple[str, int]] = []
            succeeded: list[str] = []
            outcomes: list[Outcome] = []
            worker_id = f"wk_{number}"
            while True:
                wanted = {"g": seeded[number].randint(1, 40)}
                accepted, claims = mine.exchange(worker_id, outcomes, wanted)
                succeeded += [one.task.id for one in outcomes if isinstance(one, Succeeded)]
                assert set(accepted) == {one.task.id for one in outcomes}
                if not claims and not outcomes:
                    return claimed, succeeded
                claimed += [(task.id, task.attempt) for task in claims]
                outcomes = [_outcome(seeded[number], task) for task in claims]

        answers = _together(open_backend, FEW, work)

        attempts = Counter(pair for claimed, _ in answers for pair in claimed)
        assert max(attempts.values()) == 1
        assert sorted(one for _, succeeded in answers for one in succeeded) == ids(tasks)
        by_task = Counter(task_id for task_id, _ in attempts)
        records = backend.get_many(ids(tasks))
        assert {i: record.task.attempt for i, record in records.items()} == by_task
        assert {record.state for record in records.values()} == {TaskState.SUCCEEDED}

    def test_one_of_the_same_id_is_created(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        task = new_task()

        answers = _together(open_backend, MANY, lambda mine, _: mine.put([task])[0])

        assert [put.id for put in answers] == [task.id] * MANY
        assert sum(put.created for put in answers) == 1
        assert ids(claim_all(backend)) == [task.id]

    def test_one_of_the_same_key_is_created(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        tasks = [new_task(unique_key="key") for _ in range(MANY)]

        answers = _together(open_backend, MANY, lambda mine, number: mine.put([tasks[number]])[0])

        (winner,) = {put.id for put in answers}
        assert sum(put.created for put in answers) == 1
        assert ids(claim_all(backend)) == [winner]

    def test_batches_that_share_keys_and_ids_in_any_order(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        shared = [new_task() for _ in range(20)]
        batches: list[list[Task]] = []
        for number in range(FEW):
            batch = [*shared, *(new_task(unique_key=f"key {key}") for key in range(20))]
            random.Random(number).shuffle(batch)
            batches.append(batch)

        answers = _together(open_backend, FEW, lambda mine, number: mine.put(batches[number]))

        created = [put.id for answer in answers for put in answer if put.created]
        standing = {put.id for answer in answers for put in answer}
        assert len(created) == len(set(created)) == 40
        assert set(created) == standing == set(ids(claim_all(backend)))
        assert set(ids(shared)) <= standing

    def test_nothing_put_while_others_claim_is_lost(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        batches = [[new_task() for _ in range(25)] for _ in range(FEW * 4)]

        def work(mine: Backend, number: int) -> list[str]:
            claimed: list[str] = []
            for batch in batches[number * 4 : number * 4 + 4]:
                mine.put(batch)
                claimed += ids(mine.claim(f"wk_{number}", {"g": 20}))
            return claimed

        answers = _together(open_backend, FEW, work)

        claimed = [task_id for answer in answers for task_id in answer] + ids(claim_all(backend))
        assert sorted(claimed) == sorted(task.id for batch in batches for task in batch)

    def test_one_fires(self, backend: Backend, open_backend: MakeBackend) -> None:
        tasks = [new_task() for _ in range(MANY)]

        def fire(mine: Backend, number: int) -> bool:
            return mine.fire("s", None, b"%d" % number, [tasks[number]])

        answers = _together(open_backend, MANY, fire)

        assert sum(answers) == 1
        winner = answers.index(True)
        assert backend.scheduler_state("s") == b"%d" % winner
        assert ids(claim_all(backend)) == [tasks[winner].id]

    def test_a_dead_workers_tasks_are_restored_once(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        tasks = put_many(backend, 200)
        charged = dict.fromkeys(ids(claim_all(backend)), CRASH)

        def restore(mine: Backend, _: int) -> int:
            return _until_none(lambda: mine.restore(WORKER, charged=charged, limit=15))

        answers = _together(open_backend, FEW, restore)

        assert sum(answers) == 200
        records = backend.get_many(ids(tasks)).values()
        assert {record.task.crashes for record in records} == {1}
        assert all(len(backend.attempts(task.id)) == 1 for task in tasks[:20])

    def test_a_task_is_finished_or_restored(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        tasks = put_many(backend, 200)
        claims = claim_all(backend)

        def work(mine: Backend, number: int) -> set[str]:
            if number == 0:
                _until_none(lambda: mine.restore(WORKER, limit=3))
                return set()
            mine_alone = claims[number::FEW]
            return {i for task in mine_alone for i in mine.finish(WORKER, [Succeeded(task, b"")])}

        answers = _together(open_backend, FEW, work)

        accepted = set[str]().union(*answers)
        records = backend.get_many(ids(tasks))
        succeeded = {i for i, record in records.items() if record.state is TaskState.SUCCEEDED}
        queued = {i for i, record in records.items() if record.state is TaskState.QUEUED}
        assert accepted == succeeded
        assert succeeded | queued == set(ids(tasks))

    def test_a_task_is_claimed_or_cancelled(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        tasks = put_many(backend, 200)

        def work(mine: Backend, number: int) -> list[str]:
            if number % 2:
                half = ids(tasks)[number // 2 :: FEW // 2]
                for task_id in half:
                    mine.cancel([task_id])
                return []
            return ids(mine.claim(f"wk_{number}", {"g": 20}))

        answers = _together(open_backend, FEW, work)

        claimed = {task_id for answer in answers for task_id in answer}
        records = backend.get_many(ids(tasks))
        assert {i for i, r in records.items() if r.state is TaskState.RUNNING} == claimed
        assert {i for i, r in records.items() if r.state is TaskState.CANCELLED} == (
            set(ids(tasks)) - claimed
        )
        assert all(record.cancel_requested is not None for record in records.values())

    def test_finished_tasks_are_retried_and_purged_once(
        self, backend: Backend, open_backend: MakeBackend
    ) -> None:
        tasks = put_many(backend, 200, ttl=0.0)
        backend.finish(WORKER, [Failed(task, FAULT) for task in claim_all(backend)])

        def work(mine: Backend, number: int) -> int:
            if number % 2:
                return sum(mine.retry([task_id]) for task_id in ids(tasks)[:50])
            return _until_none(lambda: mine.purge(limit=7))

        answers = _together(open_backend, FEW, work)

        assert sum(answers) == 200
        assert len(backend.get_many(ids(tasks))) == sum(answers[1::2])


def _outcome(seeded: random.Random, task: Task) -> Outcome:
    if seeded.random() < 0.1:
        return Retried(task, 0.0, FAULT)
    return Succeeded(task, b"")


def _until_none(page: Callable[[], int]) -> int:
    """Take page after page until one is empty; how much that was."""
    total = 0
    while count := page():
        total += count
    return total


def _together(
    open_backend: MakeBackend, count: int, work: Callable[[Backend, int], Answer]
) -> Sequence[Answer]:
    """Call `work` in that many threads at once, each with an instance of its own and its number."""
    backends = [open_backend() for _ in range(count)]
    barrier = Barrier(count, timeout=DEADLINE)

    def run(number: int) -> Answer:
        backends[number].open()
        barrier.wait()
        return work(backends[number], number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count), timeout=DEADLINE))
