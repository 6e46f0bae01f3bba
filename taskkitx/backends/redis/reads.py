"""What readers ask of a store in Redis: records, and pages of tasks in order of their ids.

A page is looked for in `ids:G`, piece by piece; tasks in states that are rare enough in the structures of these, so
that they are found without looking at everything.
"""

import heapq
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from taskkitx.backends.redis.connections import Connections
from taskkitx.backends.redis.fields import due_of_place, to_record, to_text
from taskkitx.backends.redis.keys import Keys
from taskkitx.record import GroupStatus, Record, TaskFilter
from taskkitx.task import TaskState

PAGE = 500
LITTLE = 10_000
PLACE = 9
"""Bytes before the id in a place."""
_WAITING = {TaskState.SCHEDULED: "future", TaskState.QUEUED: "queue", TaskState.SOLO: "solo"}
_FINISHED = frozenset(state for state in TaskState if state.finished)
_ALL = frozenset(TaskState)


def get_many(connections: Connections, keys: Keys, ids: Collection[str]) -> dict[str, Record]:
    """Records by id."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        answers = connections.ask_all([("HGETALL", keys.task(task_id)) for task_id in page])
        for task_id, flat in zip(page, answers, strict=True):
            if flat:
                found[task_id] = to_record(task_id, flat)
    return found


def list_tasks(
    connections: Connections, keys: Keys, which: TaskFilter, limit: int, after: str | None
) -> list[Record]:
    """A page, newest id first."""
    found: list[Record] = []
    ids = _Source(connections, keys, which, limit, after).ids()
    while len(found) < limit and (page := list(islice(ids, max(limit, PAGE)))):
        records = get_many(connections, keys, page)
        found += [records[i] for i in page if i in records and _matches(records[i], which)]
    return found[:limit]


def _matches(record: Record, which: TaskFilter) -> bool:
    return (
        (which.states is None or record.state in which.states)
        and (which.group is None or record.task.group == which.group)
        and (which.name is None or record.task.name == which.name)
        and (
            which.finished_before is None
            or (record.done is not None and record.done < which.finished_before)
        )
    )


class _Source:
    """Ids that may be wanted, the largest first."""

    def __init__(
        self, connections: Connections, keys: Keys, which: TaskFilter, limit: int, after: str | None
    ) -> None:
        self._connections, self._keys, self._after = connections, keys, after
        self._states = _ALL if which.states is None else which.states
        if which.finished_before is not None:
            self._states &= _FINISHED
        self._groups = [which.group] if which.group is not None else self._all_groups()
        filtered = which.name is not None or which.finished_before is not None
        self._piece = PAGE if filtered else min(limit, PAGE)

    def _all_groups(self) -> list[str]:
        return [to_text(group) for group in self._connections.ask("SMEMBERS", self._keys.groups)]

    def ids(self) -> Iterator[str]:
        few = None if self._states == _ALL else self._few()
        if few is not None:
            yield from map(to_text, sorted(few, reverse=True))
            return
        sources = [self._pieces(self._keys.of_group("ids", group)) for group in self._groups]
        yield from map(to_text, heapq.merge(*sources, reverse=True))

    def _pieces(self, key: str) -> Iterator[bytes]:
        """A sorted set of ids from its end."""
        below = "+" if self._after is None else f"({self._after}"
        while piece := self._connections.ask(
            "ZREVRANGEBYLEX", key, below, "-", "LIMIT", 0, self._piece
        ):
            yield from piece
            below = b"(" + piece[-1]

    def _few(self) -> set[bytes] | None:
        """All ids in these states, when they are few; None when they are not."""
        structures = list(self._structures())
        counts: list[int] = self._connections.ask_all([(one.size, one.key) for one in structures])
        if sum(counts) > LITTLE:
            return None
        answers = self._connections.ask_all([(one.read, one.key, *one.span) for one in structures])
        found: set[bytes] = set()
        for one, members in zip(structures, answers, strict=True):
            found.update(member[one.id_at :] for member in members)
        after = None if self._after is None else self._after.encode()
        return {one for one in found if after is None or one < after}

    def _structures(self) -> Iterator["_Structure"]:
        """In what tasks in these states are."""
        for group in self._groups:
            for state in sorted(self._states & _FINISHED):
                yield _Structure(self._keys.ended(state, group))
            for state, what in _WAITING.items():
                if state in self._states:
                    id_at = 0 if state is TaskState.SCHEDULED else PLACE
                    yield _Structure(self._keys.of_group(what, group), id_at)
            if TaskState.PARKED in self._states:
                key = self._keys.of_group("parked-names", group)
                for name in self._connections.ask("SMEMBERS", key):
                    yield _Structure(self._keys.parked(group, to_text(name)), PLACE)
        if TaskState.RUNNING in self._states:
            for worker in self._connections.ask("SMEMBERS", self._keys.owners):
                key = self._keys.running(to_text(worker))
                yield _Structure(key, size="SCARD", read="SMEMBERS", span=())


class _Structure(NamedTuple):
    """A key with ids in it, and how it is read."""

    key: str
    id_at: int = 0
    size: str = "ZCARD"
    read: str = "ZRANGE"
    span: tuple[int, ...] = (0, -1)


def to_groups(answer: Sequence[Any]) -> list[GroupStatus]:
    """The answer of `lua/groups.lua`."""
    now, lines = answer
    statuses = [_to_group(line, float(now)) for line in lines]
    return sorted(statuses, key=lambda status: status.group.encode("utf-8", "surrogatepass"))


def _to_group(line: Sequence[Any], now: float) -> GroupStatus:
    group, paused, oldest, *counts = line
    return GroupStatus(
        to_text(group),
        {TaskState(state): count for state, count in zip(counts[::2], counts[1::2], strict=True)},
        now - due_of_place(oldest) if oldest else None,
        bool(paused),
    )
