"""Claim cost does not depend on what waits, what is due later or what has finished."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskkitx.backends.sql import sqlite_cycle as cycle
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.outcome import Succeeded

ROWS = 200_000
MANY_GROUPS = 10_000
NOW = 2_000_000_000.0


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    backend = SqliteBackend(str(tmp_path / "plans.db"))
    backend.open()
    backend.close()
    connection = sqlite3.connect(tmp_path / "plans.db", isolation_level=None)
    yield connection
    connection.close()


def fill(connection: sqlite3.Connection, rows: int) -> None:
    """That many tasks queued, that many due later, that many finished."""
    for state, due in ((1, NOW - 10), (0, NOW + 1000), (6, NOW - 10)):
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl, disposable) "
            "SELECT printf('g_%d_%012d', ?, i), 'g', 'n', x'', ?, ? + i / 1e6, 0, 100, ? FROM n",
            (rows, state, state, due, NOW + 100 if state == 6 else None),
        )


def steps_of_a_cycle(connection: sqlite3.Connection) -> int:
    """How many hundreds of virtual machine steps it takes to look for due tasks, to claim 50 and to finish them."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 100)
    assert not cycle.any_due(connection, ["g"], NOW)
    assert cycle.exchange(connection, "w", [], {"g": 50}, seq=1, now=NOW) == 50
    done = [Succeeded(task, b"1") for task in cycle.claimed(connection, "w", seq=1)]
    assert cycle.exchange(connection, "w", done, {}, seq=2, now=NOW) == 50
    connection.set_progress_handler(None, 0)
    return steps


def test_a_cycle_costs_the_same_whatever_is_in_the_store(connection: sqlite3.Connection) -> None:
    fill(connection, 100)
    few = steps_of_a_cycle(connection)
    connection.execute("DELETE FROM taskkitx_task")
    fill(connection, ROWS)

    many = steps_of_a_cycle(connection)

    assert many <= few * 1.2 + 2


def spread(connection: sqlite3.Connection, groups: int) -> None:
    """Two tasks queued, and two due later, in each of that many other groups."""
    for state, due in ((1, NOW - 20), (0, NOW + 1000)):
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl) "
            "SELECT printf('%d_%d_%d', i / 2, ?, i), i / 2, 'n', x'', ?, ?, 0, 100 FROM n",
            (2 * groups, state, state, due),
        )


def test_a_cycle_costs_the_same_however_many_groups_there_are(
    connection: sqlite3.Connection,
) -> None:
    """Seen to fail with an index that does not begin with the group."""
    fill(connection, 100)
    few = steps_of_a_cycle(connection)
    connection.execute("DELETE FROM taskkitx_task")
    fill(connection, 100)
    spread(connection, MANY_GROUPS)

    many = steps_of_a_cycle(connection)

    assert many <= few * 1.2 + 2


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (cycle.exchange_statement(4, 2), "taskkitx_task_claim"),
        (cycle.exchange_statement(0, 1), "taskkitx_task_claim"),
        (cycle.exchange_statement(4, 0), "taskkitx_task_1 (id"),
        (cycle.exchange_statement(1, 0), "taskkitx_task_1 (id"),
        (cycle.ANY_DUE, "taskkitx_task_scheduled"),
        (cycle.PROMOTE, "taskkitx_task_scheduled"),
        (sql.NEXT_DUE, "taskkitx_task_scheduled"),
        (sql.CLAIMED, "taskkitx_task_owned"),
        (sql.DISPOSABLE, "taskkitx_task_finished"),
        (sql.COUNT_FINISHED, "taskkitx_task_finished"),
        (sql.OWNED, "taskkitx_task_owned"),
    ],
)
def test_hot_statements_use_their_index_and_never_sort_or_scan_the_tasks(
    connection: sqlite3.Connection, statement: str, index: str
) -> None:
    numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    named = dict.fromkeys(re.findall(r":(\w+)", statement))
    parameters = named or [None] * max(numbered or [statement.count("?")])

    plan = [
        str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]

    assert any(index in step for step in plan), plan
    assert not any(step.startswith("SCAN t") for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
