"""What can be said about a function: groups, priorities, retries, limits, delivery, codecs."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from taskkitx import (
    ConfigurationError,
    Failed,
    JSONCodec,
    MessagePackCodec,
    PickleCodec,
    Queue,
    Retry,
    SoftTimeLimit,
    Task,
    TaskExpired,
    TaskState,
    current_task,
)
from taskkitx.app.retry import MAX_BACKOFF, RetryRule
from tests.app.conftest import PATIENCE


def failure_of(result):
    with pytest.raises(Failed) as caught:
        result.get(PATIENCE)
    return caught.value


# Lanes and order


@pytest.mark.parametrize("word", ["group", "queue"])
def test_a_group_is_a_lane_of_its_own(queue, work, word):
    @queue.task(name="mail", **{word: "mail"})
    def mail():
        return current_task.group

    work(queue)

    assert mail.delay().get(PATIENCE) == "mail"
    assert mail.enqueue(group="default").get(PATIENCE) == "default"
    assert queue.groups == {"default": 4, "mail": 4}


def test_threads_by_group(make_queue):
    assert make_queue(workers={"mail": 2}).groups == {"mail": 2}
    assert make_queue(workers=0).groups == {"default": os.cpu_count()}


def test_higher_priorities_run_first(make_queue, work):
    queue = make_queue(workers=1, default_priority=1)
    order = []

    @queue.task(name="usual")
    def usual(label):
        order.append(label)

    @queue.task(name="urgent", priority=7)
    def urgent(label):
        order.append(label)

    results = [
        usual.enqueue(("low",), priority=-1),
        usual.delay("usual"),
        urgent.delay("urgent"),
        usual.enqueue(("middle",), priority=5),
    ]
    work(queue)
    for result in results:
        result.get(PATIENCE)

    assert order == ["urgent", "middle", "usual", "low"]


# Retries


class Flaky:
    """A function that fails as often as told."""

    def __init__(self, queue, fails=100, error=ValueError, **options):
        self.counts: list[int] = []

        @queue.task(name="flaky", **{"retry_backoff": 0.001, **options})
        def flaky():
            self.counts.append(current_task.retry_count)
            if len(self.counts) <= fails:
                raise error("not yet")
            return "done"

        self.task = flaky


def test_a_function_that_fails_is_run_again(queue, work):
    flaky = Flaky(queue, fails=2)
    work(queue)

    result = flaky.task.delay()

    assert result.get(PATIENCE) == "done"
    assert flaky.counts == [0, 1, 2]
    attempts = result.attempts
    assert [one.state for one in attempts] == ["retried", "retried"]
    assert {one.kind for one in attempts} == {"ValueError"}
    assert "not yet" in attempts[0].trace
    assert all(one.worker_id and one.began <= one.ended for one in attempts)


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_as_often_as_max_retries_says(queue, work, retries):
    flaky = Flaky(queue, max_retries=retries)
    work(queue)

    error = failure_of(flaky.task.delay())

    assert "ValueError: not yet" in error.message
    assert flaky.counts == list(range(retries + 1))


def test_the_queue_says_how_often_by_default(make_queue, work):
    queue = make_queue(default_retry=1)
    flaky = Flaky(queue)
    work(queue)

    failure_of(flaky.task.delay())

    assert flaky.counts == [0, 1]


def test_back_off_grows_exponentially_up_to_its_bound():
    rule = RetryRule(max_retries=1000, backoff=2.0, jitter=0.0)

    assert [rule.interval(n, ValueError()) for n in range(4)] == [2, 4, 8, 16]
    assert rule.interval(999, ValueError()) == MAX_BACKOFF
    assert rule.interval(1000, ValueError()) is None


def test_jitter_leaves_a_part_of_the_interval_to_chance():
    rule = RetryRule(max_retries=9, backoff=10.0, jitter=0.3)

    intervals = {rule.interval(0, ValueError()) or 0.0 for _ in range(200)}

    assert len(intervals) > 100
    assert 7.0 <= min(intervals) < 8.0 < 9.0 < max(intervals) <= 10.0


def test_back_off_may_be_a_function(queue, work):
    flaky = Flaky(queue, retry_backoff=lambda retries: 3600.0 * (retries + 1), retry_jitter=0)
    work(queue)
    before = queue.backend.now()

    result = flaky.task.delay()
    while result.state is not TaskState.SCHEDULED:
        threading.Event().wait(0.01)

    assert queue.get_task(result.id).task.due == pytest.approx(before + 3600, abs=PATIENCE)


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({"retry_on": KeyError}, 1),
        ({"retry_on": LookupError}, 1),
        ({"retry_on": (KeyError, ValueError)}, 3),
        ({"dont_retry_on": ValueError}, 1),
        ({"dont_retry_on": (Exception,)}, 1),
        ({"dont_retry_on": KeyError}, 3),
        ({"retry_on": Exception, "dont_retry_on": ValueError}, 1),
    ],
)
def test_only_some_exceptions_are_worth_a_retry(queue, work, options, runs):
    flaky = Flaky(queue, max_retries=2, **options)
    work(queue)

    failure_of(flaky.task.delay())

    assert len(flaky.counts) == runs


def test_a_function_may_ask_to_be_run_again(queue, work):
    flaky = Flaky(queue, fails=1, error=lambda text: Retry(text, after=0), retry_backoff=3600)
    work(queue)

    result = flaky.task.delay()

    assert result.get(PATIENCE) == "done"
    assert [(one.kind, one.message) for one in result.attempts] == [
        ("taskkitx.errors.Retry", "not yet")
    ]


def test_asking_counts_as_a_retry(queue, work):
    flaky = Flaky(
        queue, error=lambda text: Retry(after=timedelta(0)), max_retries=2, retry_on=KeyError
    )
    work(queue)

    failure_of(flaky.task.delay())

    assert flaky.counts == [0, 1, 2]


def test_asking_without_a_time_backs_off():
    assert RetryRule(backoff=5, jitter=0).interval(1, Retry()) == 10


# Limits and life


def test_a_soft_timeout_is_raised_inside(queue, work):
    @queue.task(name="slow", soft_timeout=0.05, max_retries=0)
    def slow():
        try:
            while True:
                time.sleep(0.005)
        except SoftTimeLimit:
            return "cleaned up"

    work(queue)

    assert slow.delay().get(PATIENCE) == "cleaned up"


@pytest.mark.parametrize("where", ["function", "queue", "call"])
def test_a_hard_timeout_fails_the_attempt(make_queue, work, where):
    queue = make_queue(default_timeout=0.1 if where == "queue" else None)
    go = threading.Event()

    @queue.task(name="endless", max_retries=0, **({"timeout": 0.1} if where == "function" else {}))
    def endless():
        return go.wait(PATIENCE)

    work(queue)
    result = endless.enqueue(timeout=timedelta(seconds=0.1)) if where == "call" else endless.delay()

    error = failure_of(result)
    go.set()
    assert "HardTimeLimit" in error.message
    assert "0.1 s" in error.message


def test_a_task_not_started_in_time_expires(queue, work):
    ran = []

    @queue.task(name="fresh", expires=0.001)
    def fresh(n):
        ran.append(n)
        return n

    late = fresh.delay(1)
    fine = fresh.enqueue((2,), expires=timedelta(hours=1))
    threading.Event().wait(0.02)
    work(queue)

    assert fine.get(PATIENCE) == 2
    with pytest.raises(TaskExpired):
        late.get(PATIENCE)
    assert ran == [2]


@pytest.mark.parametrize("where", ["function", "queue", "call"])
def test_how_long_a_finished_task_is_kept(make_queue, work, where):
    queue = make_queue(**({"result_ttl": 77} if where == "queue" else {}))

    @queue.task(name="kept", **({"ttl": timedelta(seconds=77)} if where == "function" else {}))
    def kept():
        return 1

    work(queue)
    result = kept.enqueue(ttl=77) if where == "call" else kept.delay()
    result.get(PATIENCE)

    record = result.record()
    assert record.disposable == pytest.approx(record.done + 77, abs=0.01)


def test_what_runs_at_most_once_is_not_run_again(queue, work):
    runs = []

    @queue.task(name="once", delivery="at_most_once")
    def once():
        runs.append(current_task.attempt)
        raise Retry(after=0)

    persisted, persist = [], queue.backend.persist

    def persisting():
        persisted.append(len(runs))
        persist()

    queue.backend.persist = persisting
    work(queue)

    failure_of(once.delay())

    assert runs == [1]
    assert persisted == [0], "its claim is durable before it starts"


# Codecs


def test_message_pack_carries_what_json_does_not(queue, work):
    value = {"raw": b"\x00\xff", "inf": float("inf"), "at": datetime(2026, 1, 2, 3, 4, 5, 6, UTC)}

    @queue.task(name="echo", codec="msgpack")
    def echo(value):
        return [value, current_task.headers]

    work(queue)

    result = echo.delay(value)
    assert result.get(PATIENCE) == [value, {"codec": "msgpack"}]
    assert queue.get_task(result.id).args == [value]


def test_pickles_carry_nearly_everything(make_queue, work):
    queue = make_queue(codec="pickle")

    @queue.task(name="apply")
    def apply(function, values):
        return {function(value) for value in values}

    work(queue)

    assert apply.delay(lambda n: n * 2, (1, 2)).get(PATIENCE) == {2, 4}


def test_a_pickle_with_a_wrong_signature_is_not_loaded(make_queue, work):
    queue, forger = make_queue(), make_queue(codec=PickleCodec("another key, long enough"))
    ran = []

    @queue.task(name="run", codec="pickle")
    def run(function):
        ran.append(function)

    work(queue)

    error = failure_of(forger.enqueue("run", (print,)))

    assert ran == []
    assert "not signed with a key known here" in error.message


def test_a_key_can_be_changed(make_queue, work):
    old, new = "the old key, long enough", "the new key, long enough"
    queue, producer = make_queue(), make_queue(codec=PickleCodec(old))

    @queue.task(name="size", codec=PickleCodec([new, old]))
    def size(values):
        return len(values)

    work(queue)

    assert queue.get_result(producer.enqueue("size", ({1, 2},)).id).get(PATIENCE) == 2


def test_a_pickle_codec_needs_a_key(store_url, monkeypatch):
    monkeypatch.delenv("TASKKITX_CODEC_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="TASKKITX_CODEC_KEY"):
        Queue(store_url, codec="pickle")
    monkeypatch.setenv("TASKKITX_CODEC_KEY", "a key from the environment")
    assert "environment" not in repr(Queue(store_url, codec="pickle").settings)


def test_a_codec_of_ones_own(queue, work):
    class Shouting(JSONCodec):
        id = "shouting"

        def encode(self, value):
            return super().encode(value).upper()

    @queue.task(name="echo", codec=Shouting())
    def echo(value):
        return value

    work(queue)

    assert echo.delay("hear").get(PATIENCE) == "HEAR"


def test_data_that_cannot_be_read_fail_at_once(queue, work):
    @queue.task(name="echo", max_retries=5)
    def echo(value): ...

    work(queue)
    (result,) = queue.kit.initiate_tasks(Task.init("default", "echo", b"no json"))

    error = failure_of(result)
    assert "the arguments of echo cannot be read" in error.message
    assert len(result.attempts) == 1


def test_a_result_that_cannot_be_carried_is_named_by_its_path(queue, work):
    @queue.task(name="returns")
    def returns():
        return {"x": [1, {2}]}

    work(queue)

    assert "value.x[1] is a set" in failure_of(returns.delay()).message


@pytest.mark.parametrize("codec", [JSONCodec(), MessagePackCodec(), PickleCodec("k" * 16)])
def test_every_codec_gives_back_what_it_took(codec):
    value = {"a": [1, -2.5, None, True, "é"], "b": {"c": []}}

    assert codec.decode(codec.encode(value)) == value


# What cannot be meant


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_retries": 1.5}, "max_retries is 1.5"),
        ({"retry_backoff": -1}, "retry_backoff is -1"),
        ({"retry_jitter": 2}, "retry_jitter is 2"),
        ({"retry_on": ValueError()}, "retry_on"),
        ({"dont_retry_on": "ValueError"}, "dont_retry_on is 'ValueError'"),
        ({"timeout": -1}, "timeout is -1"),
        ({"timeout": "5"}, "timeout is '5'"),
        ({"timeout": 5, "soft_timeout": 5}, "the soft limit comes first"),
        ({"ttl": -1}, "ttl is -1"),
        ({"expires": "soon"}, "expires is 'soon'"),
        ({"priority": "high"}, "priority is 'high'"),
        ({"group": "a", "queue": "a"}, "two words for one thing"),
        ({"group": ""}, "group"),
        ({"delivery": "exactly_once"}, "delivery is 'exactly_once'"),
        ({"delivery": "at_most_once", "max_retries": 1}, "cannot be retried"),
        ({"codec": "yaml"}, "no codec 'yaml'"),
        ({"unique": "sometimes"}, "sometimes"),
        ({"on_crash": "ignore"}, "on_crash is 'ignore'"),
        ({"max_crashes": 0}, "max_crashes is 0"),
        ({"max_retires": 3}, "no option 'max_retires'"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_by_name(options, says):
    with pytest.raises(ConfigurationError, match=says):
        Queue("memory://refused").task(**options)(lambda: 1)
