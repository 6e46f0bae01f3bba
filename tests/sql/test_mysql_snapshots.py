"""Somebody's open transaction on MariaDB: people are told as much as their user may know."""

from contextlib import closing, contextmanager

import pytest

from taskkitx import Task, connect
from taskkitx.backends.sql import mysql_snapshots, watermarks
from taskkitx.outcome import Succeeded
from tests.servers import connect_plainly


@contextmanager
def snapshot(url):
    """A transaction that has looked and stays open; gives its connection's number."""
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.begin()
        cursor.execute("SELECT count(*) FROM taskkitx_task")
        yield connection.thread_id()


@pytest.fixture
def opened():
    made = []

    def open_one(url):
        made.append(connect(url)[0])
        made[-1].open()
        return made[-1]

    yield open_one
    for backend in made:
        backend.close()


def test_nothing_is_wrong_with_a_store_at_rest(opened, empty_mysql_url):
    assert opened(empty_mysql_url).alarms() == []


def test_who_may_know_is_told_whose_it_is(opened, empty_mysql_url):
    backend = opened(empty_mysql_url.replace("app@", "root@"))

    with snapshot(empty_mysql_url) as number:
        young = backend.alarms()
        found = backend.read(lambda session: mysql_snapshots.alarms(session, -5.0))

    assert young == []
    assert [line for line in found if f"end it (KILL {number})" in line]


def test_who_may_not_is_told_that_there_is_one(opened, empty_mysql_url, monkeypatch):
    backend = opened(empty_mysql_url)
    monkeypatch.setattr(mysql_snapshots, "MANY_FOR_AN_ALARM", -1)

    (found,) = backend.alarms()

    assert "for somebody whose own stays open" in found


def test_a_look_finds_it(opened, empty_mysql_url, monkeypatch):
    """Whoever finds exchanges slow asks; what it claims does not change by that."""
    monkeypatch.setattr(watermarks, "SLOW", -1.0)
    monkeypatch.setattr(watermarks, "LOOK_EVERY", -1.0)
    monkeypatch.setattr(mysql_snapshots, "MANY", 3)
    backend = opened(empty_mysql_url)
    backend.put([Task.init("g", "n", b"") for _ in range(40)])

    with snapshot(empty_mysql_url):
        done = 0
        while claims := backend.claim("w", {"g": 3}):
            done += len(backend.finish("w", [Succeeded(task, b"") for task in claims]))
        held = backend._marks._held

    assert (done, held) == (40, True)
