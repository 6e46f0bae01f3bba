"""Putting tasks: one statement for many, and a slower way that says which one stands in whose way."""

import sqlite3
from collections.abc import Sequence

from taskkitx.backend import Put
from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.task import Task, UniqueUntil


def is_single(tasks: Sequence[Task]) -> bool:
    """Whether one INSERT does it, whatever stands already."""
    return len(tasks) == 1 and rows.is_plain(tasks[0])


def put(connection: sqlite3.Connection, tasks: Sequence[Task], now: float) -> list[Put]:
    """Insert, inside the caller's transaction."""
    if len(tasks) > 1 and all(map(rows.is_plain, tasks)):
        connection.execute("SAVEPOINT taskkitx_put")
        cursor = connection.executemany(sql.PUT, [rows.plain_row(task, now) for task in tasks])
        if cursor.rowcount == len(tasks):
            connection.execute("RELEASE taskkitx_put")
            return [Put(task.id, True) for task in tasks]
        # Some stood already; which ones, only one at a time can tell.
        connection.execute("ROLLBACK TO taskkitx_put")
        connection.execute("RELEASE taskkitx_put")
    return [put_one(connection, task, now) for task in tasks]


def put_one(connection: sqlite3.Connection, task: Task, now: float) -> Put:
    """Insert one task, or name the one that stands in its way."""
    if rows.is_plain(task):
        statement, row = sql.PUT, rows.plain_row(task, now)
    else:
        statement, row = sql.PUT_ALL, rows.full_row(task, now)
        if task.unique_key is not None:
            connection.execute(sql.FREE_WINDOWS, (task.unique_key, now))
            if _never_binds(task):
                row = (*row[:18], None, *row[19:])
    if connection.execute(statement, row).rowcount == 1:
        return Put(task.id, True)
    standing = connection.execute(sql.HOLDER, (task.id, task.unique_key)).fetchone()
    return Put(standing[0], False)


def _never_binds(task: Task) -> bool:
    """A window of no length is over at once."""
    return task.unique_until is UniqueUntil.WINDOW and not task.unique_for


def rebind(connection: sqlite3.Connection, ids: Sequence[str], now: float) -> None:
    """Tasks that wait again take their unique keys again, where these are free."""
    for task_id in ids:
        key = connection.execute(
            "SELECT unique_name FROM taskkitx_task WHERE id = ? AND unique_name IS NOT NULL",
            (task_id,),
        ).fetchone()
        if key is not None:
            connection.execute(sql.FREE_WINDOWS, (key[0], now))
            connection.execute(sql.REBIND, {"id": task_id, "now": now})
