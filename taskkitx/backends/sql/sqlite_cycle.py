"""The hot path on SQLite: one autocommit statement writes outcomes and claims, another reads what it claimed."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.cycle import in_order
from taskkitx.backends.sql.sqlite_session import all_rows
from taskkitx.outcome import Succeeded
from taskkitx.task import Task

ANY_DUE = "SELECT 1 FROM taskkitx_task WHERE state = 0 AND grp = ? AND due <= ? LIMIT 1"
PROMOTE = """
UPDATE taskkitx_task SET state = 1 WHERE rowid IN (
  SELECT rowid FROM taskkitx_task WHERE state = 0 AND grp = ? AND due <= ? ORDER BY due LIMIT 1000)"""
CLAIMED = (
    f"SELECT {sql.COLUMNS} FROM taskkitx_task WHERE worker_id = ? AND claim_seq = ? AND state = 5"
)


@cache
def exchange_statement(outcomes: int, groups: int) -> str:
    """Succeeded outcomes and claims in one statement: `outcomes` rows of (id, attempt, result), `groups` groups.

    Parameters by position: now, worker, seq, then each outcome's three, then each group's (group, limit).
    """
    sources: list[str] = []
    at = 4
    if outcomes:
        values = ", ".join(f"(?{n}, ?{n + 1}, ?{n + 2})" for n in range(at, at + 3 * outcomes, 3))
        at += 3 * outcomes
        sources.append(
            "SELECT t.rowid AS rid, 6 AS state, v.column3 AS result "
            f"FROM (VALUES {values}) v CROSS JOIN taskkitx_task t ON t.id = v.column1 "
            "WHERE t.attempt = v.column2 AND t.worker_id = ?2 AND t.state = 5"
        )
    sources.extend(
        "SELECT rid, 5 AS state, NULL AS result FROM (SELECT rowid AS rid FROM taskkitx_task "
        f"WHERE grp = ?{n} AND state = 1 AND {sql.NOT_PAUSED.format(group=f'?{n}')} "
        f"ORDER BY rank, due, id LIMIT ?{n + 1})"
        for n in range(at, at + 2 * groups, 2)
    )
    # Materialized: flattened into the update, a lone source of outcomes makes SQLite scan all tasks for each of them.
    return f"""
UPDATE taskkitx_task SET
  attempt = attempt + (source.state = 5), worker_id = ?2, claim_seq = ?3, result = source.result,
  began = CASE WHEN source.state = 5 THEN ?1 ELSE began END,
  loss = CASE WHEN source.state = 5 THEN loss END,
  solo = CASE WHEN source.state = 5 THEN solo ELSE 0 END,
  done = CASE WHEN source.state = 6 THEN ?1 END,
  disposable = CASE WHEN source.state = 6 THEN ?1 + ttl END,
  unique_key = CASE WHEN unique_key IS NULL THEN NULL
               WHEN source.state = 5 THEN {sql.KEY_WHEN_CLAIMED} ELSE {sql.KEY_WHEN_FINISHED} END,
  state = source.state
FROM (WITH all_sources AS MATERIALIZED ({" UNION ALL ".join(sources)}) SELECT * FROM all_sources) AS source
WHERE taskkitx_task.rowid = source.rid"""


def exchange(
    connection: sqlite3.Connection,
    worker_id: str,
    outcomes: Sequence[Succeeded],
    wanted: Mapping[str, int],
    seq: int,
    now: float,
) -> int:
    """Write simple outcomes and claim; returns how many rows that changed."""
    padded = 1 << (len(outcomes) - 1).bit_length() if outcomes else 0
    parameters: list[Any] = [now, worker_id, seq]
    for outcome in outcomes:
        parameters += (outcome.task.id, outcome.task.attempt, outcome.result)
    parameters += [None] * (3 * (padded - len(outcomes)))
    for group, limit in wanted.items():
        parameters += (group, limit)
    return connection.execute(exchange_statement(padded, len(wanted)), parameters).rowcount


def claimed(connection: sqlite3.Connection, worker_id: str, seq: int) -> list[Task]:
    """What this claim took, in order."""
    return in_order(all_rows(connection, CLAIMED, (worker_id, seq)))


def any_due(connection: sqlite3.Connection, groups: Collection[str], now: float) -> bool:
    """Whether something scheduled has become due."""
    return any(connection.execute(ANY_DUE, (group, now)).fetchone() is not None for group in groups)


def promote(connection: sqlite3.Connection, groups: Collection[str], now: float) -> None:
    """Queue what is due, a bounded number at a time."""
    for group in groups:
        connection.execute(PROMOTE, (group, now))
