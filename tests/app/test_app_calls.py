"""The ways to put a call: what reaches the function, what comes back, and what is refused before anything is put."""

import asyncio
import re
import sqlite3
import time
from datetime import datetime, timedelta

import pytest

from taskkitx import (
    ConfigurationError,
    EncodeError,
    Failed,
    InvalidArguments,
    InvalidTask,
    Queue,
    ResultGetTimedOut,
    TaskState,
    current_task,
)
from tests.app.conftest import ON_MEMORY, PATIENCE
from tests.servers import connect_plainly


@pytest.fixture
def add(queue):
    @queue.task(name="add")
    def add(a: int, b: int = 10, *rest: int, key: str = "k", **more: int) -> list[object]:
        return [a, b, list(rest), key, more]

    return add


def test_a_delayed_call_returns_what_the_function_returns(queue, work, add):
    work(queue)

    result = add.delay(1, 2, 3, key="x", more=4)

    assert result.get(timeout=PATIENCE) == [1, 2, [3], "x", {"more": 4}]
    assert result.result(timeout=1) == result.get()
    assert result.state is TaskState.SUCCEEDED


@ON_MEMORY
def test_called_directly_it_runs_here(queue, add):
    assert add(1) == [1, 10, [], "k", {}]
    assert queue.stats()["queued"] == 0


@ON_MEMORY
def test_a_bare_decorator_names_the_function_by_its_place(queue, work):
    @queue.task
    def alone() -> str:
        return current_task.name

    work(queue)

    assert alone.delay().get(PATIENCE) == alone.name
    assert alone.name.endswith("alone")
    assert alone.__name__ == "alone"


def test_enqueue_takes_arguments_and_options(queue, work, add):
    work(queue)

    result = add.enqueue((1,), {"b": 2}, group="default", priority=3, headers={"trace": "abc"})

    assert result.get(PATIENCE) == [1, 2, [], "k", {}]
    task = queue.get_task(result.id).task
    assert (task.priority, task.headers) == (3, {"trace": "abc"})


@pytest.mark.parametrize("later", [{"delay": 3600}, {"delay": timedelta(hours=1)}])
def test_a_delay_postpones(queue, work, add, later):
    before = queue.backend.now()
    result = add.enqueue((1,), **later)
    work(queue)
    add.delay(1).get(PATIENCE)

    task = queue.get_task(result.id).task
    assert result.state is TaskState.SCHEDULED
    assert before + 3599 < task.due < queue.backend.now() + 3601


@pytest.mark.parametrize("make", [float, datetime.fromtimestamp])
def test_a_due_moment_postpones(queue, add, make):
    due = round(time.time() + 7200)

    result = add.enqueue((1,), due=make(due))

    assert queue.get_task(result.id).task.due == pytest.approx(due, abs=0.01)
    assert result.state is TaskState.SCHEDULED


@ON_MEMORY
def test_apply_async_takes_the_names_celery_has(queue, work, add):
    work(queue)

    now = add.apply_async((1,), {"b": 2}, queue="default", priority=1, countdown=0.01)
    later = add.apply_async(
        args=[1], eta=datetime.now() + timedelta(hours=1), expires=datetime.now()
    )

    assert now.get(PATIENCE) == [1, 2, [], "k", {}]
    assert later.state is TaskState.SCHEDULED
    assert queue.get_task(later.id).task.expires == pytest.approx(0, abs=1)


def test_map_puts_many_at_once(queue, work, add):
    puts, put = [], queue.backend.put

    def counting(tasks, **options):
        puts.append(len(tasks))
        return put(tasks, **options)

    queue.backend.put = counting
    results = add.map([1, (2,), (3, 4)])

    work(queue)

    assert puts == [3]
    assert [result.get(PATIENCE)[:2] for result in results] == [[1, 10], [2, 10], [3, 4]]


@ON_MEMORY
def test_a_map_with_one_item_that_does_not_fit_puts_nothing(queue, add):
    with pytest.raises(InvalidArguments, match="'a'"):
        add.map([(1,), ()])

    assert queue.stats()["queued"] == 0


def test_calls_by_name(queue, work, add):
    work(queue)

    one = queue.enqueue("add", (1,), {"b": 2})
    many = queue.enqueue_many("add", [(1,), (2,)], [{"b": 1}, {"b": 2}], priority=5)

    assert one.get(PATIENCE) == [1, 2, [], "k", {}]
    assert [result.get(PATIENCE)[:2] for result in many] == [[1, 1], [2, 2]]
    with pytest.raises(InvalidArguments, match="'a'"):
        queue.enqueue("add")
    with pytest.raises(InvalidTask, match="2 calls, kwargs_list 1"):
        queue.enqueue_many("add", [(1,), (2,)], [{}])


def test_coroutines_put_and_await(queue, work, add):
    @queue.task(name="double")
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    async def program():
        results = [await add.adelay(1), await add.aenqueue((2,)), *await add.amap([3, 4])]
        results.append(await queue.aenqueue("add", (5,)))
        values = await asyncio.gather(*(result.aget(PATIENCE) for result in results))
        return [value[0] for value in values], await (await double.adelay(4)), await double(5)

    work(queue)

    assert asyncio.run(program()) == ([1, 2, 3, 4, 5], 8, 10)


def test_many_coroutines_wait_with_few_threads(queue, work):
    @queue.task(name="quick")
    def quick(n: int) -> int:
        return n

    async def program():
        results = await quick.amap(range(200))
        waiting = [asyncio.ensure_future(result.aget(PATIENCE)) for result in results]
        await asyncio.sleep(0)
        work(queue)
        return await asyncio.gather(*waiting)

    assert asyncio.run(program()) == list(range(200))


def test_awaiting_gives_up_after_its_timeout(queue, add):
    result = add.delay(1)

    with pytest.raises(ResultGetTimedOut, match="still queued"):
        asyncio.run(result.aget(timeout=0.01))


def test_awaiting_a_failure_raises_it(queue, work):
    @queue.task(name="fails", max_retries=0)
    def fails():
        raise ValueError("no such thing")

    work(queue)

    with pytest.raises(Failed, match="no such thing"):
        asyncio.run(fails.delay().aget(PATIENCE))


@ON_MEMORY
@pytest.mark.parametrize(
    ("args", "kwargs", "names"),
    [
        ((), {}, "'a'"),
        ((1,), {"a": 2}, "'a'"),
        ((1, 2, 3), {}, r"\(a, b\), not 3"),
        ((1,), {"c": 2}, "'c'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(queue, args, kwargs, names):
    @queue.task(name="two")
    def two(a: int, b: int = 2) -> None: ...

    for call in (
        lambda: two.delay(*args, **kwargs),
        lambda: two.enqueue(args, kwargs),
        lambda: two.apply_async(args, kwargs),
        lambda: queue.enqueue("two", args, kwargs),
    ):
        with pytest.raises(InvalidArguments, match=names) as caught:
            call()
        assert isinstance(caught.value, TypeError)
        assert "two(" in str(caught.value)
    assert sum(queue.stats().values()) == 0


@ON_MEMORY
@pytest.mark.parametrize(
    ("args", "path"),
    [
        (({1},), "argument a is a set"),
        ((1, {"x": [1, {"y": object()}]}), r"argument b.x\[1\].y is a object"),
        ((1, 2, 3, (4,)), r"argument rest\[1\] is a tuple"),
        (("\ud800",), "argument a holds a lone surrogate"),
        ((float("nan"),), "argument a is nan"),
    ],
)
def test_data_the_codec_refuses_is_named_by_its_path(queue, add, args, path):
    with pytest.raises(EncodeError, match=path):
        add.delay(*args)
    with pytest.raises(EncodeError, match=r"more.k"):
        add.delay(1, k={2})
    assert sum(queue.stats().values()) == 0


@ON_MEMORY
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"delay": 1, "due": 2.0}, "delay and due"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"priorty": 1}, "no option 'priorty'"),
        ({"priority": "high"}, "priority"),
        ({"group": ""}, "group"),
        ({"headers": {"n": 1}}, "header 'n' is 1"),
        ({"headers": {"codec": "x"}}, "'codec' is taken"),
        ({"unique_key": ""}, "unique_key"),
        ({"unique_key": "k", "conflict": "ignore"}, "conflict is 'ignore'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(queue, add, options, says):
    with pytest.raises(InvalidTask, match=says):
        add.enqueue((1,), **options)
    assert sum(queue.stats().values()) == 0


@ON_MEMORY
def test_a_function_defined_twice_in_one_place_replaces_the_first(queue):
    for number in (1, 2):

        @queue.task(name="same")
        def same(number=number):
            return number

    assert queue.registry.functions["same"]() == 2


@ON_MEMORY
def test_two_functions_of_one_name_are_refused(queue, add):
    with pytest.raises(ConfigurationError, match=r"two functions are called 'add'.*name="):

        @queue.task(name="add")
        def another(): ...


@ON_MEMORY
def test_what_cannot_be_a_task_is_refused(queue):
    def generator():
        yield 1

    with pytest.raises(ConfigurationError, match="generator"):
        queue.task(generator)
    with pytest.raises(ConfigurationError, match="is no function"):
        queue.task(3)
    with pytest.raises(ConfigurationError, match="does not tell its parameters"):
        queue.task(max)
    with pytest.raises(ConfigurationError, match="name"):
        queue.task(name="")(lambda: 1)


def test_a_queue_takes_one_store():
    with pytest.raises(ConfigurationError, match="url and db_path"):
        Queue("memory://", db_path="x.db")


def test_a_queue_on_a_kits_store(queue, make_queue, work, add):
    work(queue)

    for other in (Queue(kit=queue.kit), Queue(queue.kit)):
        assert other.enqueue("add", (1,)).get(PATIENCE)[0] == 1


@ON_MEMORY
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("12",), "they come in a list or tuple, ['12']"),
        ((1,), "they come in a list or tuple, [1]"),
        ((iter([1, 2]),), "they come in a list or tuple"),
        (({"a": 1},), "they come in a list or tuple"),
        (([1], 2), "the keyword arguments of add are 2: they come in a dict"),
    ],
)
def test_arguments_come_in_a_list_and_a_dict(queue, add, args, says):
    with pytest.raises(InvalidArguments, match=re.escape(says)):
        add.enqueue(*args)


@ON_MEMORY
def test_a_name_may_come_first(queue):
    @queue.task("shop.pay", priority=1)
    def pay(): ...

    assert pay.name == "shop.pay"


def plain_connection(url):
    """The driver's own, in a transaction."""
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    if not url.startswith(("postgresql", "mysql")):
        pytest.skip("its transactions cannot be joined")
    connection = connect_plainly(url)
    if url.startswith("mysql"):
        connection.autocommit(False)
    else:
        connection.autocommit = False
    return connection


def test_a_call_within_a_transaction_exists_if_it_commits(queue, add, work, store_url):
    queue.backend.open()
    connection = plain_connection(store_url)
    lost = add.enqueue((1,), connection=connection)
    connection.rollback()
    kept = add.enqueue((2,), connection=connection)
    (mapped,) = add.map([3], connection=connection)
    connection.commit()
    connection.close()
    work(queue)

    assert kept.get(PATIENCE)[0] == 2
    assert mapped.get(PATIENCE)[0] == 3
    assert queue.backend.get_many([lost.id]) == {}


@ON_MEMORY
def test_a_function_may_have_a_parameter_called_self(queue, work):
    @queue.task(name="odd")
    def odd(self, args=1):
        return [self, args]

    work(queue)

    assert odd.delay(self=2, args=3).get(PATIENCE) == odd(self=2, args=3) == [2, 3]


def test_a_function_travels_by_reference():
    import pickle

    from benchmarks.functions import add

    assert pickle.loads(pickle.dumps(add)) is add


def test_a_file_may_have_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("plain.db", tmp_path / "a b?c%20d#e.db"):
        queue = Queue(db_path=path)
        queue.enqueue("nobody")
        queue.backend.close()
        assert (tmp_path / path).exists()
