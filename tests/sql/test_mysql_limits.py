"""What a MySQL server does not take: packets beyond its limit, and servers that taskkitx does not take."""

from contextlib import closing

import pytest

from taskkitx import ConfigurationError, StoreRefused, Task, connect
from taskkitx.backends.sql import mysql_errors
from taskkitx.backends.sql.mysql_link import check_server
from taskkitx.backends.sql.mysql_text import literal
from taskkitx.backends.sql.server import Trouble
from taskkitx.outcome import Outcome, Succeeded
from taskkitx.worker.outbox import finish_in_parts
from tests.servers import connect_plainly

PACKET = 1024 * 1024
WORKER = "wk_limits"


@pytest.fixture
def backend(mariadb, empty_mysql_url):
    """On a server that takes a megabyte at a time."""
    with closing(connect_plainly(empty_mysql_url)) as administrator:
        with administrator.cursor() as cursor:
            cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
            ((before,),) = cursor.fetchall()
            cursor.execute(f"SET GLOBAL max_allowed_packet = {PACKET}")
        made, _ = connect(empty_mysql_url)
        yield made
        made.close()
        with administrator.cursor() as cursor:
            cursor.execute(f"SET GLOBAL max_allowed_packet = {before}")


def new_task(size=1):
    return Task.init("g", "n", b"d" * size)


def test_a_batch_of_several_packets_is_put_whole(backend):
    tasks = [new_task(PACKET // 4) for _ in range(10)]

    answers = backend.put(tasks)

    assert answers == [(task.id, True) for task in tasks]
    assert {record.task.data for record in backend.get_many([t.id for t in tasks]).values()} == {
        b"d" * (PACKET // 4)
    }


def test_a_batch_with_a_task_beyond_a_packet_is_refused_whole(backend):
    tasks = [new_task(PACKET // 4), new_task(), new_task(2 * PACKET)]

    with pytest.raises(StoreRefused, match="max_allowed_packet is 1048576"):
        backend.put(tasks)

    assert backend.get_many([task.id for task in tasks]) == {}
    assert backend.put(tasks[:2]) == [(task.id, True) for task in tasks[:2]]


def test_results_of_several_packets_are_written(backend):
    backend.put([new_task() for _ in range(10)])
    claims = backend.claim(WORKER, {"g": 10})
    outcomes = [Succeeded(task, bytes([n]) * (PACKET // 4)) for n, task in enumerate(claims)]

    accepted = backend.finish(WORKER, outcomes)

    assert set(accepted) == {task.id for task in claims}
    records = backend.get_many(accepted)
    assert {o.task.id: o.result for o in outcomes} == {id: r.result for id, r in records.items()}


def test_a_result_beyond_a_packet_fails_alone(backend):
    backend.put([new_task() for _ in range(5)])
    claims = backend.claim(WORKER, {"g": 5})
    outcomes: list[Outcome] = [Succeeded(task, b"1") for task in claims[:4]]
    outcomes.append(Succeeded(claims[4], b"r" * 2 * PACKET))

    with pytest.raises(StoreRefused, match="keep large data elsewhere"):
        backend.finish(WORKER, outcomes)
    accepted = finish_in_parts(lambda part: backend.finish(WORKER, part), outcomes)

    assert set(accepted) == {task.id for task in claims}
    states = {task_id: record.state.name for task_id, record in backend.get_many(accepted).items()}
    assert states.pop(claims[4].id) == "FAILED"
    assert set(states.values()) == {"SUCCEEDED"}


FINE = {
    "version": "8.0.36",
    "transaction_isolation": "READ-COMMITTED",
    "log_bin": "ON",
    "binlog_format": "ROW",
}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"version": "5.7.44-log"}, "MySQL 5.7.44-log, which cannot skip locked rows"),
        ({"version": "10.5.9-MariaDB-log"}, "needs 10.6.0 or newer"),
        ({"transaction_isolation": "REPEATABLE-READ"}, "isolation REPEATABLE-READ"),
        ({"binlog_format": "STATEMENT"}, "set binlog_format to ROW or MIXED"),
    ],
)
def test_servers_that_cannot_do_it_are_refused(found, said):
    check_server(FINE, "the server")

    with pytest.raises(ConfigurationError, match=said):
        check_server(FINE | found, "the server")


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (1213, Trouble.CONFLICT),
        (1205, Trouble.CONFLICT),
        (1020, Trouble.CONFLICT),
        (2006, Trouble.BROKEN),
        (2013, Trouble.BROKEN),
        (1290, Trouble.BROKEN),
        (2003, Trouble.LATER),
        (1114, Trouble.LATER),
        (1406, Trouble.NEVER),
    ],
)
def test_what_errors_ask_for(code, trouble):
    assert mysql_errors.trouble(Exception(code, "message")) is trouble


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "'plain'"),
        ("it's", "_utf8mb4 X'69742773'"),
        ("back\\slash", "_utf8mb4 X'6261636b5c736c617368'"),
        ("é", "_utf8mb4 X'c3a9'"),
        (b"\x00'", "X'0027'"),
        (2.5, "2.5e0"),
        (1e300, "1e+300"),
        (-3, "-3"),
        (True, "1"),
        (None, "NULL"),
    ],
)
def test_values_are_written_so_that_no_mode_or_character_set_can_change_them(value, written):
    assert literal(value) == written


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf")])
def test_values_that_no_server_takes(value):
    with pytest.raises((UnicodeEncodeError, OverflowError)):
        literal(value)
