"""What readers ask of a SQLite store; every answer is bounded."""

import sqlite3
from collections.abc import Collection, Iterator

from taskkitx.backend import GroupStatus, Record, TaskFilter
from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.task import TaskState

PAGE = 500

_WAITING = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.SOLO, TaskState.PARKED)
_FINISHED = tuple(state for state in TaskState if state.finished)
_IS_FINISHED = "disposable IS NOT NULL"
_INDEXED = (*(f"state = {int(state)}" for state in _WAITING), _IS_FINISHED)


def get_many(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Record]:
    """Records by id."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        marks = ", ".join("?" * len(page))
        query = f"SELECT {sql.RECORD} FROM taskkitx_task WHERE id IN ({marks})"
        found |= {row[0]: rows.to_record(row) for row in connection.execute(query, page).fetchall()}
    return found


def list_tasks(
    connection: sqlite3.Connection, which: TaskFilter, limit: int, after: str | None
) -> list[Record]:
    """A page, newest id first."""
    conditions, parameters = _conditions(which, after)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {sql.RECORD} FROM taskkitx_task{where} ORDER BY id DESC LIMIT ?"
    return [
        rows.to_record(row) for row in connection.execute(query, (*parameters, limit)).fetchall()
    ]


def _conditions(which: TaskFilter, after: str | None) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    parameters: list[object] = []
    if which.states is not None:
        numbers = sorted(int(state) for state in which.states)
        if len(numbers) == 1:
            conditions.append(f"state = {numbers[0]}")  # as the partial indexes have it
        else:
            conditions.append(f"state IN ({', '.join(map(str, numbers))})")
    for condition, value in (
        ("grp = ?", which.group),
        ("name = ?", which.name),
        ("done < ?", which.finished_before),
        ("id < ?", after),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    return conditions, parameters


def groups(connection: sqlite3.Connection, cap: int, now: float) -> list[GroupStatus]:
    """Every group's figures."""
    pauses: dict[str, bool] = {
        row[0]: bool(row[1]) for row in connection.execute(sql.PAUSES).fetchall()
    }
    all_paused = pauses.pop("", False)
    running: dict[str, int] = dict(connection.execute(sql.RUNNING_BY_GROUP).fetchall())
    names = {group for group, paused in pauses.items() if paused} | running.keys()
    for condition in _INDEXED:
        names.update(group_names(connection, condition))
    return [
        GroupStatus(
            group,
            _counts(connection, group, cap, running.get(group, 0)),
            _oldest(connection, group, now),
            pauses.get(group, all_paused),
        )
        for group in sorted(names)
    ]


def group_names(connection: sqlite3.Connection, condition: str) -> Iterator[str]:
    """The groups of an index that begins with them, one seek each, whatever the number of rows."""
    query = sql.GROUP_AFTER.format(state=condition)
    group = ""
    while (group := connection.execute(query, (group,)).fetchone()[0]) is not None:
        yield group


def _counts(
    connection: sqlite3.Connection, group: str, cap: int, running: int
) -> dict[TaskState, int]:
    counts = {TaskState.RUNNING: min(running, cap)}
    for state in _WAITING:
        query = sql.COUNT_WAITING.format(state=int(state))
        counts[state] = connection.execute(query, (group, cap)).fetchone()[0]
    for state in _FINISHED:
        parameters = (group, int(state), cap)
        counts[state] = connection.execute(sql.COUNT_FINISHED, parameters).fetchone()[0]
    return {state: count for state, count in counts.items() if count}


def _oldest(connection: sqlite3.Connection, group: str, now: float) -> float | None:
    """The age of the queued task due longest: one seek for each priority in use."""
    oldest: float | None = None
    rank = -(2**62)
    while (rank := connection.execute(sql.RANKS_AFTER, (group, rank)).fetchone()[0]) is not None:
        due = connection.execute(sql.OLDEST_OF_RANK, (group, rank)).fetchone()[0]
        oldest = due if oldest is None else min(oldest, due)
    return None if oldest is None else now - oldest


def disposable(connection: sqlite3.Connection, now: float, limit: int) -> list[str]:
    """Ids of finished tasks whose time is over, oldest first."""
    found: list[tuple[float, str]] = []
    for group in list(group_names(connection, _IS_FINISHED)):
        for state in _FINISHED:
            parameters = (group, int(state), now, limit)
            found += connection.execute(sql.DISPOSABLE, parameters).fetchall()
    return [task_id for _, task_id in sorted(found)[:limit]]
