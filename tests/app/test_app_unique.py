"""One task at a time: four modes, three answers to a conflict, and many producers at once."""

import threading
from typing import Any

import pytest

from taskkitx import (
    ConfigurationError,
    DuplicateTask,
    InvalidTask,
    NotFound,
    Result,
    TaskCancelled,
    TaskState,
    Unique,
    UniqueUntil,
    current_task,
)
from tests.app.conftest import ON_MEMORY, PATIENCE
from tests.app.test_app_calls import plain_connection

RACERS = 16


class Held:
    """A function that runs until it is let go."""

    def __init__(self, queue, **options):
        self.begun = threading.Event()
        self.go = threading.Event()
        self.runs: list[int] = []

        @queue.task(name="held", **options)
        def held(n: int = 0, label: str = ""):
            self.runs.append(n)
            self.begun.set()
            assert self.go.wait(PATIENCE)
            return n

        self.task = held


@pytest.fixture
def held(queue):
    made = []

    def make(**options):
        made.append(Held(queue, **options))
        return made[-1]

    yield make
    for one in made:
        one.go.set()


def is_same(one, other):
    assert other.created is (one.id != other.id)
    return one.id == other.id


@pytest.mark.parametrize("unique", ["queued", "started", "done", True, Unique(), 3600.0])
def test_a_second_call_meets_the_one_that_waits(held, unique):
    task = held(unique=unique).task
    first = task.delay(1)

    assert first.created
    assert is_same(first, task.delay(1))
    assert not is_same(first, task.delay(2))


@pytest.mark.parametrize(
    ("unique", "while_running", "afterwards"),
    [
        ("queued", False, False),
        ("started", False, False),
        ("done", True, False),
        (UniqueUntil.DONE, True, False),
        (Unique(until="window", window=3600), True, True),
    ],
)
def test_how_long_a_task_stands_in_the_way(queue, work, held, unique, while_running, afterwards):
    one = held(unique=unique)
    first = one.task.delay(1)
    work(queue)
    assert one.begun.wait(PATIENCE)

    second = one.task.delay(1)
    assert is_same(first, second) is while_running
    one.go.set()
    first.get(PATIENCE)
    second.get(PATIENCE)

    assert is_same(first, one.task.delay(1)) is afterwards


def test_a_window_ends(queue, held):
    task = held(unique=Unique(until="window", window=0)).task

    assert not is_same(task.delay(1), task.delay(1))


@pytest.mark.parametrize(("until", "binds"), [("queued", True), ("started", False), ("done", True)])
def test_a_task_that_waits_for_its_retry(queue, work, until, binds):
    @queue.task(name="late", unique=until, retry_backoff=3600)
    def late():
        raise ValueError

    first = late.delay()
    work(queue)
    while first.state is not TaskState.SCHEDULED:
        threading.Event().wait(0.01)

    assert is_same(first, late.delay()) is binds


@ON_MEMORY
def test_the_same_call_written_in_different_ways(held):
    task = held(unique="done").task

    first = task.delay(1)

    assert is_same(first, task.delay(n=1))
    assert is_same(first, task.delay(1, label=""))
    assert is_same(first, task.enqueue([1], {"label": ""}))
    assert not is_same(first, task.delay(1, "other"))


@ON_MEMORY
def test_a_key_of_the_arguments(held):
    task = held(unique=Unique(key=lambda n, label="": label)).task

    assert is_same(task.delay(1, "a"), task.delay(2, "a"))
    assert not is_same(task.delay(1, "a"), task.delay(1, "b" * 1000))
    assert is_same(task.delay(1, "b" * 1000), task.delay(2, "b" * 1000))


def test_a_key_of_a_single_call(held):
    task = held().task

    first = task.enqueue((1,), unique_key="mine")

    assert is_same(first, task.enqueue((2,), unique_key="mine"))
    assert not is_same(first, task.enqueue((2,), unique_key="yours"))
    assert not is_same(first, task.delay(1))


def test_a_conflict_may_raise(queue, held):
    task = held(unique=Unique(conflict="raise")).task
    first = task.delay(1)

    with pytest.raises(DuplicateTask, match=first.id) as caught:
        task.delay(1)

    assert caught.value.task_id == first.id
    assert queue.stats()["queued"] == 1
    assert is_same(first, task.enqueue((1,), conflict="return"))


def test_a_conflict_may_replace_what_waits(queue, work, held):
    one = held(unique=Unique(conflict="replace", key=lambda n: "same"))
    first = one.task.delay(1)
    second = one.task.enqueue((2,), delay=3600)

    third = one.task.delay(3)

    one.go.set()
    work(queue)
    assert third.get(PATIENCE) == 3
    for replaced, successor in ((first, second), (second, third)):
        with pytest.raises(TaskCancelled):
            replaced.get(PATIENCE)
        assert queue.get_task(replaced.id).cancelled_by == f"replaced by {successor.id}"
    assert one.runs == [3]


def test_what_has_begun_is_not_replaced(queue, work, held):
    one = held(unique=Unique(conflict="replace"))
    first = one.task.delay(1)
    work(queue)
    assert one.begun.wait(PATIENCE)

    with pytest.raises(DuplicateTask, match=first.id):
        one.task.delay(1)

    one.go.set()
    assert first.get(PATIENCE) == 1
    assert queue.get_task(first.id).cancelled_by is None


def test_a_window_is_replaced_as_long_as_its_task_waits(queue, work, held):
    one = held(unique=Unique(until="window", window=3600, conflict="replace", key=lambda n: "same"))
    first = one.task.delay(1)
    second = one.task.delay(2)
    one.go.set()
    work(queue)

    assert second.get(PATIENCE) == 2
    with pytest.raises(NotFound):
        first.get()
    with pytest.raises(DuplicateTask):
        one.task.delay(3)


def test_many_calls_at_once_meet_what_stands(held):
    task = held(unique=True).task

    results = task.map([1, 1, 2])

    assert [result.created for result in results] == [True, False, True]
    with pytest.raises(InvalidTask, match="one by one"):
        task.map([1], conflict="raise")


def race(calls):
    """What each call came to, all begun at once."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[Any] = [None] * len(calls)

    def run(index, call):
        barrier.wait(PATIENCE)
        try:
            outcomes[index] = call()
        except DuplicateTask as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return outcomes


@pytest.mark.parametrize("until", ["queued", "started", "done", 3600.0])
def test_of_racing_producers_one_puts_a_task(make_queue, until):
    tasks = [Held(make_queue(), unique=until).task for _ in range(RACERS)]

    outcomes = race([lambda task=task: task.delay(1) for task in tasks])

    assert len({result.id for result in outcomes}) == 1
    assert sum(result.created for result in outcomes) == 1


def test_of_racing_producers_all_but_one_raise(make_queue):
    tasks = [Held(make_queue(), unique=Unique(conflict="raise")).task for _ in range(RACERS)]

    outcomes = race([lambda task=task: task.delay(1) for task in tasks])

    (winner,) = [one for one in outcomes if isinstance(one, Result)]
    refused = [one for one in outcomes if isinstance(one, DuplicateTask)]
    assert {error.task_id for error in refused} == {winner.id}
    assert len(refused) == RACERS - 1


def test_of_racing_producers_that_replace_each_other_one_task_is_left(make_queue, work):
    queue = make_queue()
    unique = Unique(conflict="replace", key=lambda n: "same")
    tasks = [Held(queue, unique=unique).task] + [
        Held(make_queue(), unique=unique).task for _ in range(RACERS - 1)
    ]

    outcomes = race([lambda n=n, task=task: task.delay(n) for n, task in enumerate(tasks)])

    states = [result.state for result in outcomes]
    assert states.count(TaskState.QUEUED) == 1
    assert states.count(TaskState.CANCELLED) == RACERS - 1


def test_one_runs_at_a_time_while_producers_race_and_workers_work(make_queue, work):
    queue = make_queue()
    running, worst, count = [], [], RACERS * 5

    @queue.task(name="alone", unique="done")
    def alone():
        running.append(current_task.id)
        worst.append(len(running))
        running.remove(current_task.id)

    work(queue)
    outcomes = race([lambda: [alone.delay() for _ in range(5)] for _ in range(RACERS)])

    results = [result for several in outcomes for result in several]
    for result in results:
        result.get(PATIENCE)
    assert len(results) == count
    assert set(worst) == {1}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"until": "sometime"}, "sometime"),
        ({"until": "window"}, "window=None"),
        ({"window": 3}, "window=3"),
        ({"conflict": "ignore"}, "conflict is 'ignore'"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule, says):
    with pytest.raises(ConfigurationError, match=says):
        Unique(**rule)


def test_replacing_is_no_part_of_a_transaction(queue, held, store_url):
    task = held(unique=Unique(conflict="replace")).task
    task.delay(1)
    connection = plain_connection(store_url)

    with pytest.raises(InvalidTask, match="rollback"):
        task.enqueue((1,), connection=connection)

    connection.rollback()
    connection.close()
