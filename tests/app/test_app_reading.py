"""Looking at tasks, and dead letters: read, replayed, thrown away."""

import threading

import pytest

from taskkitx import ConfigurationError, Failed, NotFound, TaskState, current_task
from tests.app.conftest import ON_MEMORY, PATIENCE


@pytest.fixture
def mend():
    """Set it, and `broken` works."""
    return threading.Event()


@pytest.fixture
def broken(queue, mend):
    @queue.task(name="broken", max_retries=1, retry_backoff=0)
    def broken(n: int, *, group: str = "") -> int:
        if not mend.is_set():
            raise ValueError(f"no {n}")
        return n

    return broken


@pytest.fixture
def fine(queue):
    @queue.task(name="fine")
    def fine(n: int = 0) -> int:
        return n

    return fine


def fail(results):
    for result in results:
        with pytest.raises(Failed):
            result.get(PATIENCE)
    return results


def test_a_task_as_people_look_at_it(queue, work, broken):
    result = broken.enqueue((1,), {"group": "x"}, headers={"trace": "t"})
    waiting = queue.get_task(result.id)
    work(queue)
    fail([result])
    failed = queue.get_task(result.id)

    assert (waiting.state, waiting.result, waiting.error) == (TaskState.QUEUED, None, None)
    assert (failed.id, failed.name, failed.group) == (result.id, "broken", "default")
    assert (failed.args, failed.kwargs) == ([1], {"group": "x"})
    assert failed.state is TaskState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("ValueError: no 1\nTraceback")
    assert [one.attempt for one in failed.attempts] == [1, 2]
    assert failed.created <= failed.done


def test_a_result_is_decoded(queue, work, fine):
    work(queue)
    result = fine.delay(5)
    result.get(PATIENCE)

    assert queue.get_task(result.id).result == 5
    assert queue.get_result(result.id).get() == 5


def test_what_is_unknown_is_not_found(queue):
    for look in (queue.get_task, queue.progress, queue.cancel, queue.retry_dead):
        with pytest.raises(NotFound, match="default_1"):
            look("default_1")


def test_lists_come_in_pages(queue, fine, broken):
    results = fine.map(range(5))
    broken.delay(1)
    queue.enqueue("fine", group="mail")

    first = queue.list_tasks("queued", "default", "fine", limit=2)
    second = queue.list_tasks(TaskState.QUEUED, "default", "fine", limit=2, page=first.next)
    third = queue.list_tasks(["queued"], "default", "fine", limit=2, page=second.next)

    pages = [first, second, third]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [task.id for page in pages for task in page] == [r.id for r in reversed(results)]
    assert third.next is None
    assert first[0].args == [4]
    assert len(queue.list_tasks()) == 7
    assert len(queue.list_tasks(group="mail")) == 1
    assert len(queue.list_tasks(state=["failed", "running"])) == 0


@ON_MEMORY
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"state": "wating"}, "no state 'wating'"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": 10_000}, "1 to 1000"),
        ({"page": 2}, "page is 2"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(queue, options, says):
    with pytest.raises(ConfigurationError, match=says):
        queue.list_tasks(**options)


def test_stats_count_by_state(queue, work, fine):
    fine.enqueue(delay=3600)
    fine.enqueue(group="idle")
    work(queue)
    fine.delay().get(PATIENCE)

    assert {state: n for state, n in queue.stats().items() if n} == {
        "scheduled": 1,
        "queued": 1,
        "succeeded": 1,
    }
    assert {state: n for state, n in queue.stats("idle").items() if n} == {"queued": 1}
    assert set(queue.stats()) == {state.label for state in TaskState}


def test_dead_letters_tell_how_they_failed(queue, work, broken, fine):
    work(queue)
    results = fail(broken.map([1, 2, 3]))
    fine.delay().get(PATIENCE)

    page = queue.dead_letters(limit=2)
    rest = queue.dead_letters(limit=2, page=page.next)

    assert [task.id for task in (*page, *rest)] == [r.id for r in reversed(results)]
    assert len(queue.dead_letters(name="fine")) == len(queue.dead_letters(group="mail")) == 0
    (first, second) = page[0].attempts
    assert (first.attempt, first.state, first.kind) == (1, "retried", "ValueError")
    assert (second.attempt, second.state, second.message) == (2, "failed", "no 3")
    assert "raise ValueError" in second.trace
    assert first.ended <= second.ended
    assert second.worker_id


def test_a_replayed_letter_keeps_its_history(queue, work, broken, mend):
    work(queue)
    (result,) = fail([broken.delay(1)])
    mend.set()

    assert queue.retry_dead(result.id) == 1

    again = queue.get_result(result.id)
    assert again.get(PATIENCE) == 1
    assert [one.attempt for one in again.attempts] == [1, 2]
    assert again.record().task.attempt == 3
    assert len(queue.dead_letters()) == 0


def test_letters_are_replayed_by_filter_in_pages(queue, work, broken, mend, monkeypatch):
    pages, retry = [], queue.backend.retry

    def counting(ids, **how):
        pages.append(len(ids))
        return retry(ids, **how)

    monkeypatch.setattr(queue.backend, "retry", counting)
    work(queue)
    results = fail(broken.map(range(1203)))
    mend.set()

    assert queue.retry_dead(name="fine") == 0
    assert queue.retry_dead(group="mail") == 0
    assert queue.retry_dead(older_than=3600) == 0
    assert queue.retry_dead([results[0].id, "default_none"]) == 1
    assert queue.retry_dead(name="broken") == 1202

    assert pages == [2, 500, 500, 202]
    assert [queue.get_result(r.id).get(PATIENCE) for r in results] == list(range(1203))


def test_only_failed_tasks_are_replayed(queue, work, fine):
    work(queue)
    result = fine.delay()
    result.get(PATIENCE)

    with pytest.raises(NotFound, match="it is succeeded"):
        queue.retry_dead(result.id)
    assert queue.retry_dead([result.id]) == queue.retry_dead() == 0


def test_two_who_replay_at_once_replay_each_letter_once(make_queue, work):
    queue, runs = make_queue(), []

    @queue.task(name="once", max_retries=0)
    def once():
        runs.append(current_task.id)
        if len(runs) <= 50:
            raise ValueError

    work(queue)
    results = fail(once.map([()] * 50))

    replayed = []

    def replay(queue):
        replayed.append(queue.retry_dead())

    threads = [threading.Thread(target=replay, args=(make_queue(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for result in results:
        queue.get_result(result.id).get(PATIENCE)

    assert sum(replayed) == 50
    assert len(runs) == 100


def test_letters_and_results_are_purged_by_age(queue, work, broken, fine):
    work(queue)
    fail(broken.map([1, 2]))
    fine.delay().get(PATIENCE)
    waiting = fine.enqueue(delay=3600)

    assert queue.purge_dead(older_than=3600) == 0
    assert queue.purge_completed(older_than=3600) == 0
    assert queue.purge_dead(name="fine") == 0
    assert queue.purge_dead() == 2
    assert queue.purge_completed() == 1

    assert [task.id for task in queue.list_tasks()] == [waiting.id]
