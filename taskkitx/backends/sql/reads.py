"""What readers ask of an SQL store; every answer is bounded."""

from collections.abc import Collection, Iterator
from typing import Any

from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.session import Session, first
from taskkitx.record import GroupStatus, Record, TaskFilter
from taskkitx.task import TaskState

PAGE = 500
_PAGE_SIZES = (1, 8, 64, PAGE)
"""Few shapes of one statement, so that stores can keep them prepared."""

_WAITING = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.SOLO, TaskState.PARKED)
_FINISHED = tuple(state for state in TaskState if state.finished)
_IS_FINISHED = "disposable IS NOT NULL"
_INDEXED = (*(f"state = {int(state)}" for state in _WAITING), _IS_FINISHED)


def get_many(session: Session, ids: Collection[str]) -> dict[str, Record]:
    """Records by id."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        size = next(size for size in _PAGE_SIZES if size >= len(page))
        marks = ", ".join(f":id{n}" for n in range(size))
        query = f"SELECT {sql.RECORD} FROM taskkitx_task WHERE id IN ({marks})"
        padded = page + page[:1] * (size - len(page))
        parameters = {f"id{n}": task_id for n, task_id in enumerate(padded)}
        found |= {row[0]: rows.to_record(row) for row in session.rows(query, parameters)}
    return found


def list_tasks(session: Session, which: TaskFilter, limit: int, after: str | None) -> list[Record]:
    """A page, newest id first."""
    conditions, parameters = _conditions(which, after)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {sql.RECORD} FROM taskkitx_task{where} ORDER BY id DESC LIMIT :limit"
    return [rows.to_record(row) for row in session.rows(query, {**parameters, "limit": limit})]


def _conditions(which: TaskFilter, after: str | None) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if which.states is not None:
        numbers = sorted(int(state) for state in which.states)
        if len(numbers) == 1:
            conditions.append(f"state = {numbers[0]}")  # as the partial indexes have it
        else:
            conditions.append(f"state IN ({', '.join(map(str, numbers)) or 'NULL'})")
    for condition, name, value in (
        ("grp = :group", "group", which.group),
        ("name = :name", "name", which.name),
        ("done < :before", "before", which.finished_before),
        ("id < :after", "after", after),
    ):
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    return conditions, parameters


def groups(session: Session, cap: int) -> list[GroupStatus]:
    """Every group's figures."""
    pauses = {row[0]: bool(row[1]) for row in session.rows(sql.PAUSES)}
    all_paused = pauses.pop("", False)
    running: dict[str, int] = {row[0]: row[1] for row in session.rows(sql.RUNNING_BY_GROUP)}
    names = {group for group, paused in pauses.items() if paused} | running.keys()
    for condition in _INDEXED:
        names.update(group_names(session, condition))
    return [
        GroupStatus(
            group,
            _counts(session, group, cap, running.get(group, 0)),
            _oldest(session, group),
            pauses.get(group, all_paused),
        )
        for group in sorted(names)
    ]


def group_names(session: Session, condition: str) -> Iterator[str]:
    """The groups of an index that begins with them, one seek each, whatever the number of rows."""
    query = sql.GROUP_AFTER.format(condition=condition)
    group: str | None = ""
    while (group := first(session.rows(query, {"after": group}))) is not None:
        yield group


def _counts(session: Session, group: str, cap: int, running: int) -> dict[TaskState, int]:
    counts = {TaskState.RUNNING: min(running, cap)}
    for state in _WAITING:
        query = sql.COUNT_WAITING.format(state=int(state))
        counts[state] = first(session.rows(query, {"group": group, "cap": cap}))
    finished = [{"group": group, "state": int(state), "cap": cap} for state in _FINISHED]
    for state, found in zip(
        _FINISHED, session.rows_each(sql.COUNT_FINISHED, finished), strict=True
    ):
        counts[state] = first(found)
    return {state: count for state, count in counts.items() if count}


def _oldest(session: Session, group: str) -> float | None:
    """The age of the queued task due longest: one seek for each priority in use."""
    oldest: float | None = None
    place: dict[str, Any] = {"group": group, "rank": -(2**62)}
    while (rank := first(session.rows(sql.RANK_AFTER, place))) is not None:
        place["rank"] = rank
        age = first(session.rows(sql.AGE_OF_RANK, place))
        if age is not None:  # the last of this priority may have been claimed meanwhile
            oldest = age if oldest is None else max(oldest, age)
    return oldest


def next_due(session: Session, groups: Collection[str]) -> float | None:
    """Seconds until the first scheduled task of these groups is due."""
    found = session.rows_each(sql.NEXT_DUE, [{"group": group} for group in groups])
    return min((first(rows) for rows in found if rows), default=None)


def disposable(session: Session, limit: int, *, hold: bool = False) -> list[str]:
    """Ids of finished tasks whose time is over, oldest first; `hold` locks them, and passes over what others hold."""
    query = sql.HOLD_DISPOSABLE if hold else sql.DISPOSABLE
    wanted = [
        {"group": group, "state": int(state), "limit": limit}
        for group in list(group_names(session, _IS_FINISHED))
        for state in _FINISHED
    ]
    found = [row for page in session.rows_each(query, wanted) for row in page]
    return [row[1] for row in sorted(tuple(row) for row in found)[:limit]]
