"""Names: what a process does not know waits, uncharged, for one that does. And periodic functions."""

import threading

import pytest

from taskkitx import (
    ConfigurationError,
    InvalidArguments,
    InvalidSchedule,
    RegularSchedule,
    TaskState,
    current_task,
)
from tests.app.conftest import ON_MEMORY, PATIENCE


def wait_for(result, state):
    deadline = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if result.state is state:
            return
        deadline.wait(0.02)
    raise AssertionError(f"{result} is {result.state.label}")


def test_an_unknown_name_is_parked_uncharged_until_somebody_knows_it(make_queue, work):
    old, new = make_queue(), make_queue()

    @new.task(name="new", max_retries=0)
    def function():
        return [current_task.retry_count, current_task.name]

    @old.task(name="old")
    def known():
        return 1

    work(old)
    result = function.delay()
    wait_for(result, TaskState.PARKED)

    assert known.delay().get(PATIENCE) == 1
    assert result.attempts == []
    assert old.stats()["parked"] == 1
    work(new)
    assert result.get(PATIENCE) == [0, "new"]


def test_a_parked_task_can_be_cancelled(queue, work):
    work(queue)
    result = queue.enqueue("nobody.knows")
    wait_for(result, TaskState.PARKED)

    assert result.cancel() is TaskState.CANCELLED


def test_a_periodic_function_is_put_by_the_clock(queue, work):
    told, twice = [], threading.Semaphore(0)

    @queue.periodic(cron="* * * * * *", tz="Europe/Paris", args=(1,), kwargs={"b": 2})
    @queue.task(name="tick", priority=3, ttl=60, codec="msgpack")
    def tick(a, b):
        told.append((a, b, current_task.task.priority, current_task.task.scheduled or 0))
        twice.release()
        return b"raw"

    work(queue)
    for _ in range(2):
        assert twice.acquire(timeout=PATIENCE)

    assert [one[:3] for one in told[:2]] == [(1, 2, 3)] * 2
    assert told[1][3] - told[0][3] >= 1


@ON_MEMORY
def test_the_entries_of_periodic_functions(queue):
    @queue.periodic("0 3 * * *", tz="UTC")
    def nightly(): ...

    @queue.periodic(schedule=RegularSchedule(minutes=0), key="hourly", missed="all(3)")
    @queue.periodic("*/5 * * * *", args=(2,))
    @queue.periodic("*/7 * * * *")
    @queue.task(name="shop.often", group="mail")
    def often(n=1): ...

    entries = {entry.key: entry for several in queue.schedule_entries.values() for entry in several}

    assert set(entries) == {nightly.name, "hourly", "shop.often", "shop.often #2"}
    assert set(queue.schedule_entries) == {nightly.name.rpartition(".")[0], "shop"}
    assert entries["hourly"].missed == "all(3)"
    assert entries["shop.often #2"].data == b"[[2],{}]"
    assert entries["hourly"].group == "mail"


@ON_MEMORY
@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"cron": "61 * * * *"}, InvalidSchedule, "61"),
        ({"cron": "* * * * *", "tz": "Mars/Olympus"}, InvalidSchedule, "Mars/Olympus"),
        ({"cron": "* * * * *", "args": (1,)}, InvalidArguments, "takes 0 positional"),
        ({}, ConfigurationError, "cron="),
        ({"cron": "* * * * *", "schedule": RegularSchedule()}, ConfigurationError, "cron="),
        ({"cron": "* * * * *", "missed": "some"}, InvalidSchedule, "some"),
    ],
)
def test_a_periodic_function_that_cannot_be_meant_is_refused(queue, options, error, says):
    with pytest.raises(error, match=says):
        queue.periodic(**options)(lambda: None)


@ON_MEMORY
def test_two_functions_with_one_key_are_refused(queue):
    queue.periodic("* * * * *", key="same")(queue.task(name="a")(lambda: 1))

    with pytest.raises(InvalidSchedule, match="a and b both have it"):
        queue.periodic("* * * * *", key="same")(queue.task(name="b")(lambda: 1))
