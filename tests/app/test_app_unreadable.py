"""What somebody else has written into the store, and no program of ours can read, costs its own task and no other."""

import json
import sqlite3
import threading
from contextlib import closing

import pytest
import redis
from sqlalchemy import create_engine, text

from taskkitx import Failed, Limits, Task, TaskHandler, current_task, make_kit
from tests.app.conftest import PATIENCE
from tests.stores import SHARED

DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}
DATA = {
    "no text": b"\x80{",
    "nothing": b"",
    "a number": b"17",
    "three parts": b"[[1, 2], {}, 3]",
    "no object": b"[[1, 2], 5]",
    "no number": b"[[NaN, 1], {}]",
    "a huge integer": b"[[1" + b"0" * 5_000 + b", 1], {}]",
    "a recursion bomb": b"[" * 100_000,
}


@pytest.fixture
def add(queue):
    @queue.task(name="add", max_retries=5)
    def add(a, b):
        return a + b

    return add


def change_by_hand(url, task_id, field, value):
    """Write into the store without our help."""
    scheme, _, rest = url.partition("://")
    if scheme == "redis":
        with redis.Redis.from_url(url) as client:
            key = f"{{taskkitx}}:task:{task_id}"
            assert client.exists(key)
            if value is None:
                client.hdel(key, field)
            else:
                client.hset(key, field, value)
        return
    engine = create_engine(f"{DRIVERS[scheme]}://{rest}")
    with engine.begin() as connection:
        change = text(f"UPDATE taskkitx_task SET {field} = :value WHERE id = :id")
        assert connection.execute(change, {"value": value, "id": task_id}).rowcount == 1
    engine.dispose()


def assert_it_fails_alone(add, broken, words):
    """At its first attempt, with the reason; and the group goes on."""
    with pytest.raises(Failed, match=words):
        broken.get(PATIENCE)
    assert len(broken.attempts) == 1
    assert add.delay(1, 2).get(PATIENCE) == 3


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_data(queue, work, add, data):
    good = add.delay(1, 1)
    (broken,) = queue.kit.initiate_tasks(Task.init("default", "add", data))
    work(queue)

    assert_it_fails_alone(add, broken, "the arguments of add cannot be read")
    assert good.get(PATIENCE) == 2


def test_a_codec_nobody_knows(queue, work, add):
    headers = {"codec": "of another program"}
    (broken,) = queue.kit.initiate_tasks(
        Task.init("default", "add", b"[[1, 2], {}]", headers=headers)
    )
    work(queue)

    assert_it_fails_alone(add, broken, "of another program")


@pytest.mark.parametrize("store_url", SHARED, indirect=True)
@pytest.mark.parametrize("headers", ["{", "[1]", '{"codec": 5}', "[" * 100_000], ids=len)
def test_headers(store_url, queue, work, add, headers):
    """Seen to end every worker that claims it, and so to stop its whole group."""
    broken = add.delay(1, 2)
    change_by_hand(store_url, broken.id, "headers", headers)
    work(queue)

    assert_it_fails_alone(add, broken, "not a JSON object of texts")


@pytest.mark.parametrize("store_url", SHARED, indirect=True)
def test_a_rule_of_uniqueness(store_url, queue, work, add):
    broken = add.enqueue((1, 2), unique_key="key")
    change_by_hand(store_url, broken.id, "unique_until", "doomsday")
    work(queue)

    assert_it_fails_alone(add, broken, "doomsday")


BY_HAND = [
    ("sqlite", "data", "[[1, 2], {}]"),
    ("sqlite", "name", b"add"),
    ("sqlite", "due", "2024-01-01 12:00:00"),
    ("sqlite", "rank", "first"),
    ("sqlite", "retry_count", "none"),
    ("sqlite", "crashes", 0.5),
    ("sqlite", "timeout", "soon"),
    ("sqlite", "expires", "soon"),
    ("sqlite", "scheduled", "noon"),
    ("sqlite", "loss", b"fire"),
    ("redis", "data", None),
    ("redis", "name", None),
    ("redis", "ttl", None),
    ("redis", "ttl", "soon"),
    ("redis", "created", "now"),
    ("redis", "retry_count", "none"),
    ("redis", "attempt", "none"),
    ("redis", "attempt", "1.5"),
]
"""What these two keep, whatever a field is for; None: the field is not there."""


@pytest.mark.parametrize(("store_url", "field", "value"), BY_HAND, indirect=["store_url"])
def test_a_value_of_another_type(store_url, queue, work, add, field, value):
    """Seen to end every worker that claims it together with others."""
    broken, *others = [add.delay(1, n) for n in range(3)]
    change_by_hand(store_url, broken.id, field, value)
    work(queue)

    assert_it_fails_alone(add, broken, "unreadable")
    assert [other.get(PATIENCE) for other in others] == [2, 3]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_an_id_that_names_no_group(store_url, queue, work, add):
    """Seen to end every worker that claims it. It runs: nothing about it is unclear."""
    made = add.delay(1, 2)
    change_by_hand(store_url, made.id, "id", "made-by-hand")
    work(queue)

    assert queue.get_result("made-by-hand").get(PATIENCE) == 3


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_text_that_is_no_text(store_url, queue, work, add):
    """Seen to keep a claim from being read, and all that was claimed with it from being run."""
    broken, *others = [add.delay(1, n) for n in range(3)]
    change_by_hand(store_url, broken.id, "name", "add")
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as connection, connection:
        change = "UPDATE taskkitx_task SET name = CAST(x'616480' AS TEXT) WHERE id = ?"
        connection.execute(change, [broken.id])
    work(queue)

    assert [other.get(PATIENCE) for other in others] == [2, 3]
    listed = {view.id: view.name for view in queue.list_tasks()}
    assert listed[broken.id] == r"ad\x80"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_handler_that_reads_its_data_for_the_limits_is_not_asked(store_url):
    """Seen to be run again and again, the reason never told."""

    class Reads(TaskHandler[object, int]):
        def handle(self, task):
            return 1

        def get_limits(self, task):
            return Limits(**json.loads(task.data))

        def get_retry_interval(self, task, exception):
            return 0.0

    kit = make_kit(Reads(), store_url)
    result = kit.initiate_task("g", "n", {})
    change_by_hand(store_url, result.id, "data", "{}")
    worker = threading.Thread(target=kit.run_worker, args=({"g": 1},), daemon=True)
    worker.start()
    with pytest.raises(Failed, match=r"its data is '\{\}'"):
        result.get(PATIENCE)
    kit.stop_worker()
    worker.join()
    kit.backend.close()

    assert [attempt.attempt for attempt in result.attempts] == [1]


@pytest.mark.parametrize("store_url", SHARED, indirect=True)
def test_an_attempt_that_is_set_back(store_url, queue, work):
    """The history has an attempt of that number already. Seen to end one worker after the other."""
    runs = []

    @queue.task(name="fails", max_retries=0)
    def fails():
        runs.append(current_task.attempt)
        raise ValueError(f"run {len(runs)}")

    work(queue)
    result = fails.delay()
    with pytest.raises(Failed, match="run 1"):
        result.get(PATIENCE)

    change_by_hand(store_url, result.id, "attempt", 0)
    queue.retry_dead(result.id)

    again = queue.get_result(result.id)
    with pytest.raises(Failed, match="run 2"):
        again.get(PATIENCE)
    assert runs == [1, 1]
    assert "run 2" in again.attempts[-1].message
