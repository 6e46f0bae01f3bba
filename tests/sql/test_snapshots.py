"""Somebody's old snapshot: people are told, and claims go on finding everything."""

import json
import time
from contextlib import contextmanager

import psycopg
import pytest
from click.testing import CliRunner

from taskkitx import Task, connect
from taskkitx.backends.sql import postgres_snapshots, watermarks
from taskkitx.backends.sql.mysql import MySqlBackend
from taskkitx.backends.sql.postgres import PostgresBackend
from taskkitx.cli import main
from taskkitx.outcome import Succeeded


@contextmanager
def snapshot(url):
    """A transaction that has looked and stays open; gives its pid."""
    with psycopg.connect(url, application_name="reporting") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM taskkitx_task")
        yield connection.info.backend_pid


@pytest.fixture
def url(empty_postgres_url):
    """Everybody is told at once."""
    return f"{empty_postgres_url}?alarm=0"


def test_nothing_is_wrong_with_a_store_at_rest(url):
    backend, _ = connect(url)

    assert backend.alarms() == []


def test_status_shows_who_holds_it_and_how_to_end_it(url, empty_postgres_url):
    with snapshot(empty_postgres_url) as pid:
        text = CliRunner().invoke(main, ["status", "--url", url])
        programs = CliRunner().invoke(main, ["status", "--json", "--url", url])
        young = CliRunner().invoke(main, ["status", "--url", empty_postgres_url])

    assert f"ALARM: the transaction of pid {pid} (reporting) has been open for" in text.output
    assert f"SELECT pg_terminate_backend({pid})" in text.output
    assert len(json.loads(programs.output)["alarms"]) == 1
    assert "ALARM" not in young.output


@pytest.fixture(params=["postgres", "mysql"])
def store(request):
    """One that claims from watermarks when it may."""
    kind = {"postgres": PostgresBackend, "mysql": MySqlBackend}[request.param]
    return kind(request.getfixturevalue(f"empty_{request.param}_url"))


def test_claims_from_a_watermark_leave_nothing_behind(store, monkeypatch):
    """Seen to leave the urgent task to the end without the claim from the very beginning now and then."""
    backend = store
    monkeypatch.setattr(backend._marks, "_held", True)
    monkeypatch.setattr(watermarks, "LOOK_EVERY", 1e9)
    backend.put([Task.init("g", "n", b"") for _ in range(200)])
    claimed = backend.claim("w", {"g": 10})
    urgent = Task.init("g", "n", b"", priority=9)
    backend.put([urgent])
    deadline = time.monotonic() + 10

    while urgent.id not in {task.id for task in claimed}:
        assert time.monotonic() < deadline
        more = backend.claim("w", {"g": 1})
        claimed += more
        if not more:
            break
    claimed += backend.claim("w", {"g": 300})

    assert len({task.id for task in claimed}) == len(claimed) == 201
    backend.close()


def test_a_look_finds_the_holder(empty_postgres_url, monkeypatch):
    """Whoever finds exchanges slow asks; what it claims does not change by that."""
    monkeypatch.setattr(watermarks, "SLOW", -1.0)
    monkeypatch.setattr(watermarks, "LOOK_EVERY", -1.0)
    monkeypatch.setattr(
        postgres_snapshots,
        "_OLD",
        postgres_snapshots._OLD.replace(str(postgres_snapshots.MANY), "0"),
    )
    backend = PostgresBackend(empty_postgres_url)
    backend.put([Task.init("g", "n", b"") for _ in range(40)])

    with snapshot(empty_postgres_url):
        done = 0
        while claims := backend.claim("w", {"g": 3}):
            done += len(backend.finish("w", [Succeeded(task, b"") for task in claims]))
        held = backend._marks._held

    assert (done, held) == (40, True)
    backend.close()
