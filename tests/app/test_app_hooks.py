"""Hooks and middleware: told of everything, in order, and without a say unless they are declared strict."""

import json
import threading
from typing import Any

import pytest

from taskkitx import DiscardTask, Failed, Middleware, TaskCancelled, TaskDiscarded, current_task
from tests.app.conftest import PATIENCE


class Diary(Middleware):
    """Writes down what it is told."""

    def __init__(self, label="", lines=None):
        self.label = label
        self.lines = [] if lines is None else lines
        self.over = threading.Semaphore(0)

    def write(self, event, task, *facts):
        self.lines.append((f"{self.label}{event}", task.name, *facts))

    def before(self, task):
        self.write("before", task, current_task.id == task.id)

    def after(self, task, outcome):
        self.write("after", task, outcome)
        self.over.release()

    def on_success(self, task, result):
        self.write("success", task, result)

    def on_failure(self, task, error):
        self.write("failure", task, repr(error))

    def on_retry(self, task, error, delay):
        self.write("retry", task, repr(error), delay)

    def on_cancel(self, task):
        self.write("cancel", task)

    def wait(self, times=1):
        for _ in range(times):
            assert self.over.acquire(timeout=PATIENCE)
        return self.lines


@pytest.fixture
def diary():
    return Diary()


@pytest.fixture
def queue(make_queue, diary):
    return make_queue(middleware=[diary])


def test_a_success(queue, work, diary):
    @queue.task(name="one")
    def one():
        return {"n": 1}

    work(queue)
    one.delay()

    assert diary.wait() == [
        ("before", "one", True),
        ("success", "one", {"n": 1}),
        ("after", "one", "succeeded"),
    ]


def test_a_retry_and_a_failure(queue, work, diary):
    @queue.task(name="one", max_retries=1, retry_backoff=0)
    def one():
        raise ValueError(current_task.retry_count)

    work(queue)
    one.delay()

    assert diary.wait(2) == [
        ("before", "one", True),
        ("retry", "one", "ValueError(0)", 0.0),
        ("after", "one", "retried"),
        ("before", "one", True),
        ("failure", "one", "ValueError(1)"),
        ("after", "one", "failed"),
    ]


def test_cancelled_while_it_waits_it_is_told_where_it_was_cancelled(queue, diary):
    @queue.task(name="one")
    def one(): ...

    result = one.delay()
    result.cancel()
    result.cancel()

    assert diary.wait() == [("cancel", "one"), ("after", "one", "cancelled")]


def test_cancelled_while_it_runs(queue, work, diary):
    begun = threading.Event()

    @queue.task(name="one", interrupt_on_cancel=True)
    def one():
        begun.set()
        for _ in range(2000):
            threading.Event().wait(0.01)

    work(queue)
    result = one.delay()
    assert begun.wait(PATIENCE)
    result.cancel()

    assert diary.wait()[1:] == [("cancel", "one"), ("after", "one", "cancelled")]
    with pytest.raises(TaskCancelled):
        result.get(PATIENCE)


def test_discarded_and_expired(queue, work, diary):
    @queue.task(name="one")
    def one():
        raise DiscardTask

    one.delay()
    one.enqueue(expires=0, priority=-1)
    work(queue)

    assert [line for line in diary.wait(2) if line[0] == "after"] == [
        ("after", "one", "discarded"),
        ("after", "one", "expired"),
    ]


def test_the_queues_hooks_are_around_the_functions(queue, work, diary):
    @queue.task(name="one", middleware=[Diary("own ", diary.lines)])
    def one(): ...

    work(queue)
    one.delay()

    assert [line[0] for line in diary.wait()] == [
        "before",
        "own before",
        "own success",
        "success",
        "own after",
        "after",
    ]


def test_single_functions_as_hooks(queue, work, diary):
    told: list[Any] = []

    @queue.before
    def first(task):
        told.append(("before", task.name))

    @queue.on_success(strict=False)
    def second(task, result):
        told.append(("success", result))

    for point in (queue.after, queue.on_failure, queue.on_retry, queue.on_cancel):
        point(lambda task, *facts: told.append(("other", *map(str, facts))))

    @queue.task(name="one")
    def one():
        return 7

    work(queue)
    assert one.delay().get(PATIENCE) == 7
    diary.wait()

    assert told == [("before", "one"), ("success", 7), ("other", "succeeded")]
    assert first.__name__ == "first"


def raises(*facts):
    raise RuntimeError("a broken hook")


EVENTS = ["before", "after", "on_success"]


@pytest.mark.parametrize("event", [*EVENTS, "on_failure", "on_retry", "on_cancel"])
def test_a_failing_hook_is_logged_and_changes_nothing(make_queue, work, monkeypatch, event):
    queue, diary = make_queue(), Diary()
    logged = []
    monkeypatch.setattr("taskkitx.log.hook_failed", lambda *facts: logged.append(facts))
    getattr(queue, event)(raises)
    queue.hooks.add(diary)  # its `after` comes before the broken one

    @queue.task(name="one", max_retries=1, retry_backoff=0)
    def one(fails):
        if fails:
            raise ValueError
        return 1

    cancelled = one.enqueue((0,), delay=3600)
    cancelled.cancel()
    work(queue)
    failed = one.delay(1)

    assert one.delay(0).get(PATIENCE) == 1
    with pytest.raises(Failed, match="ValueError"):
        failed.get(PATIENCE)
    with pytest.raises(TaskCancelled):
        cancelled.get()
    while not logged:
        threading.Event().wait(0.01)
    assert event in logged[0][0]
    assert "a broken hook" in logged[0][2]


@pytest.mark.parametrize("event", EVENTS)
def test_a_strict_hook_decides(make_queue, work, event):
    queue = make_queue()
    getattr(queue, event)(strict=True)(raises)
    ran = []

    @queue.task(name="one", max_retries=0)
    def one():
        ran.append(1)

    work(queue)

    with pytest.raises(Failed, match="a broken hook"):
        one.delay().get(PATIENCE)
    assert ran == ([] if event == "before" else [1])


def test_strict_middleware_may_drop_a_task(make_queue, work):
    class Gate(Middleware):
        strict = True

        def before(self, task):
            if json.loads(task.headers.get("open", "true")) is False:
                raise DiscardTask

    queue = make_queue(middleware=[Gate()])

    @queue.task(name="one")
    def one():
        return 1

    work(queue)

    assert one.delay().get(PATIENCE) == 1
    with pytest.raises(TaskDiscarded):
        one.enqueue(headers={"open": "false"}).get(PATIENCE)


def test_any_object_with_some_of_the_methods_will_do(make_queue, work):
    told = []

    class Plain:
        def on_success(self, task, result):
            told.append(result)

    queue = make_queue()

    @queue.task(name="one", middleware=[Plain()])
    def one():
        return 3

    @queue.task(name="other")
    def other():
        return 4

    work(queue)
    other.delay().get(PATIENCE)
    one.delay().get(PATIENCE)

    assert told == [3]
