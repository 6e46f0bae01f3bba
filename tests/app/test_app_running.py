"""What a running function knows of itself and tells, and how it is cancelled."""

import threading
import time

import pytest

from taskkitx import (
    CancelRequested,
    NotRunning,
    Progress,
    TaskCancelled,
    TaskState,
    current_task,
)
from taskkitx.process import user_at_host
from tests.app.conftest import ON_MEMORY, PATIENCE


def test_a_function_knows_its_own_attempt(queue, work):
    @queue.task(name="who", timeout=100, retry_backoff=0)
    def who():
        if current_task.retry_count == 0:
            raise ValueError
        return {
            "id": current_task.id,
            "name": current_task.name,
            "group": current_task.group,
            "attempt": current_task.attempt,
            "fence": current_task.fence,
            "headers": dict(current_task.headers),
            "left": (current_task.deadline or 0) - time.time(),
            "lost": current_task.lease_lost,
            "cancelled": current_task.cancelled,
            "there": bool(current_task),
        }

    work(queue)
    result = who.enqueue(headers={"trace": "abc"})
    told = result.get(PATIENCE)

    assert 100 - PATIENCE < told.pop("left") <= 100
    assert told == {
        "id": result.id,
        "name": "who",
        "group": "default",
        "attempt": 2,
        "fence": 2,
        "headers": {"trace": "abc"},
        "lost": False,
        "cancelled": False,
        "there": True,
    }


def test_called_directly_there_is_no_current_task():
    current_task.progress(1)
    current_task.check_cancelled()

    assert not current_task
    assert (current_task.retry_count, dict(current_task.headers)) == (0, {})
    assert current_task.deadline is None
    assert not current_task.lease_lost
    with pytest.raises(NotRunning, match="called directly"):
        _ = current_task.id


@ON_MEMORY
def test_an_eager_call_has_a_current_task(queue):
    @queue.task(name="who")
    def who():
        return current_task.id

    result = queue.kit.initiate_task("default", "who", ([], {}), eager=True)

    assert result.get() == result.id


@ON_MEMORY
def test_two_threads_have_two_current_tasks(queue, work):
    both = threading.Barrier(2)

    @queue.task(name="who")
    def who():
        both.wait(PATIENCE)
        return current_task.id

    work(queue)
    results = who.map([(), ()])

    assert [result.get(PATIENCE) for result in results] == [result.id for result in results]


def test_progress_is_seen_while_the_task_runs(queue, work):
    go = threading.Event()

    @queue.task(name="steps")
    def steps():
        current_task.progress(3, 10, "third step")
        assert go.wait(PATIENCE)

    work(queue)
    result = steps.delay()
    while (progress := queue.progress(result.id)) is None:
        threading.Event().wait(0.01)
    go.set()

    assert progress == Progress(3, 10, "third step")
    result.get(PATIENCE)
    assert result.progress == queue.get_task(result.id).progress == progress


def test_the_last_word_of_a_task_whose_progress_was_seen_is_kept(queue, work):
    go = threading.Event()

    @queue.task(name="steps")
    def steps():
        current_task.progress(1, 10)
        assert go.wait(PATIENCE)
        current_task.progress(10, 10)

    work(queue)
    result = steps.delay()
    while queue.progress(result.id) is None:
        threading.Event().wait(0.01)
    go.set()
    result.get(PATIENCE)

    assert queue.progress(result.id) == Progress(10, 10)


# Cancelling


@pytest.mark.parametrize("options", [{}, {"delay": 3600}])
def test_what_waits_is_cancelled_at_once(queue, work, options):
    ran = []

    @queue.task(name="never")
    def never():
        ran.append(1)

    result = never.enqueue(**options)
    state = result.cancel(by="somebody")
    before = queue.backend.now()
    work(queue)

    assert state is result.state is TaskState.CANCELLED
    with pytest.raises(TaskCancelled):
        result.get(PATIENCE)
    told = queue.get_task(result.id)
    assert (told.cancelled_by, ran) == ("somebody", [])
    assert told.cancelled_at == pytest.approx(before, abs=5)
    assert result.cancel() is TaskState.CANCELLED


def test_whoever_cancels_is_named_by_default(queue):
    @queue.task(name="never")
    def never(): ...

    result = never.delay()

    assert queue.cancel(result.id) is TaskState.CANCELLED
    assert queue.get_task(result.id).cancelled_by == user_at_host()


class Long:
    """A function that goes on until it is cancelled."""

    def __init__(self, queue, step, **options):
        self.begun = threading.Event()
        self.ended: list[str] = []

        @queue.task(name="long", **options)
        def long():
            self.begun.set()
            deadline = time.monotonic() + PATIENCE
            try:
                while time.monotonic() < deadline:
                    step()
                    time.sleep(0.002)
            except CancelRequested:
                self.ended.append("cancelled")
                raise

        self.task = long


@pytest.mark.parametrize(
    ("step", "options"),
    [
        pytest.param(current_task.check_cancelled, {}, id="asks"),
        pytest.param(lambda: None, {"interrupt_on_cancel": True}, id="is interrupted"),
    ],
)
def test_what_runs_is_cancelled_by_its_cooperation_or_by_an_exception(queue, work, step, options):
    long = Long(queue, step, **options)
    work(queue)
    result = long.task.delay()
    assert long.begun.wait(PATIENCE)

    assert result.cancel("somebody") is TaskState.RUNNING

    with pytest.raises(TaskCancelled):
        result.get(PATIENCE)
    assert long.ended == ["cancelled"]
    assert queue.get_task(result.id).cancelled_by == "somebody"


def test_what_does_not_ask_ends_as_it_likes(queue, work):
    go, begun = threading.Event(), threading.Event()

    @queue.task(name="deaf")
    def deaf():
        begun.set()
        return go.wait(PATIENCE)

    work(queue)
    result = deaf.delay()
    assert begun.wait(PATIENCE)
    result.cancel("somebody")
    go.set()

    assert result.get(PATIENCE) is True


def test_what_was_cancelled_while_it_ran_is_not_retried(queue, work):
    go, begun = threading.Event(), threading.Event()

    @queue.task(name="fails", retry_backoff=0)
    def fails():
        begun.set()
        go.wait(PATIENCE)
        raise ValueError

    work(queue)
    result = fails.delay()
    assert begun.wait(PATIENCE)
    result.cancel()
    go.set()

    with pytest.raises(TaskCancelled):
        result.get(PATIENCE)


def test_what_has_finished_stays_as_it_is(queue, work):
    @queue.task(name="done")
    def done():
        return 1

    work(queue)
    result = done.delay()
    result.get(PATIENCE)

    assert result.cancel() is TaskState.SUCCEEDED
    assert queue.get_task(result.id).cancelled_by is None
