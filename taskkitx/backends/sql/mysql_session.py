"""The shared statements on one MySQL connection. Times are the server's, read inside the statement."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from taskkitx.backends.sql import mysql_errors, rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.mysql_link import Link, Result
from taskkitx.backends.sql.mysql_text import HOLDER_NOW, KEY_TAKEN, LOOK_FIRST, Text, literal
from taskkitx.backends.sql.session import NONE, Parameters, Row
from taskkitx.task import Task

SHARE = 4
"""A statement for many takes about this part of a packet, so that no batch is too large where its parts are not."""
BESIDE = 1024
"""Bytes that a task needs beside its data or its result."""

Thing = TypeVar("Thing")


class MySqlSession:
    """See `Session`."""

    def __init__(self, link: Link, text: Text, *, again: bool = False, alone: bool = False) -> None:
        """`again`: an earlier try of the same work may have been committed. `alone`: one statement in a packet."""
        self._link = link
        self.text = text
        self._again = again
        self._alone = alone

    def rows(self, statement: str, parameters: Parameters = NONE) -> list[Row]:
        return self.run([self.text(statement, parameters)])[0].rows

    def change(self, statement: str, parameters: Parameters = NONE) -> int:
        if statement in LOOK_FIRST:
            return self.change_each(statement, [parameters])[0]
        return self.run([self.text(statement, parameters)])[0].found

    def rows_each(self, statement: str, many: Sequence[Parameters]) -> list[list[Row]]:
        if self._alone and statement is sql.HOLDER:
            statement = HOLDER_NOW
        return [result.rows for result in self._each(statement, many)]

    def change_each(self, statement: str, many: Sequence[Parameters]) -> list[int]:
        if statement not in LOOK_FIRST:
            return [result.found for result in self._each(statement, many)]
        look, write = LOOK_FIRST[statement]
        found = [result.rows for result in self._each(look, many)]
        written = self._each(write, [{"id": row[0]} for rows in found for row in rows])
        counts = iter(written)
        return [sum(next(counts).found for _ in rows) for rows in found]

    def _each(self, statement: str, many: Sequence[Parameters]) -> list[Result]:
        return self.run([self.text(statement, parameters) for parameters in many])

    def run(self, statements: Sequence[str]) -> list[Result]:
        """Run rendered statements, in one round trip where the connection takes several."""
        if self._alone:
            return [result for one in statements for result in self._link.run([one])]
        return self._link.run(statements)

    def transaction(self, statements: Sequence[str]) -> list[Result]:
        """Run rendered statements in a transaction of their own, which needs no further round trip to begin or end."""
        return self._link.run_transaction(statements)

    def unless_taken(self, statement: str, parameters: Parameters = NONE) -> int:
        # Inside a transaction, too: the server undoes this statement and nothing else.
        return self._unless_taken(lambda: self.change(statement, parameters))

    def _unless_taken(self, change: Callable[[], int]) -> int:
        try:
            return change()
        except Exception as error:
            if mysql_errors.number(error) == mysql_errors.DUPLICATE:
                return 0
            raise

    def insert(self, tasks: Sequence[Task]) -> list[bool]:
        inserted = [False] * len(tasks)
        for part in self.parts(self._free(tasks), lambda placed: len(placed[1].data)):
            created = self._insert([task for _, task in part])
            for (place, _), new in zip(part, created, strict=True):
                inserted[place] = new
        if self._again and not all(inserted):
            return self._inserted_before(tasks, inserted)
        return inserted

    def _free(self, tasks: Sequence[Task]) -> list[tuple[int, Task]]:
        """The tasks whose unique key nobody is known to have, with their places."""
        placed = list(enumerate(tasks))
        keyed = [(place, task) for place, task in placed if task.unique_key is not None]
        if self._alone or not keyed:
            return placed
        found = self.rows_each(KEY_TAKEN, [{"key": task.unique_key} for _, task in keyed])
        taken = {place for (place, _), rows in zip(keyed, found, strict=True) if rows}
        return [(place, task) for place, task in placed if place not in taken]

    def _insert(self, tasks: Sequence[Task]) -> list[bool]:
        if self.insert_all(tasks):
            return [True] * len(tasks)
        if len(tasks) == 1:
            return [False]
        # Some stood already; which ones, only one at a time can tell.
        return [self.insert_all([task]) for task in tasks]

    def insert_all(self, tasks: Sequence[Task]) -> bool:
        """Insert them in one statement, all or none: whether no id and no unique key was taken."""
        return self._unless_taken(lambda: self.run([self._insertion(tasks)])[0].found) > 0

    def parts(self, things: Sequence[Thing], size: Callable[[Thing], int]) -> list[list[Thing]]:
        """The things, so many at a time as one statement holds; `size`: the bytes in one of them."""
        room = self._link.packet // SHARE
        parts: list[list[Thing]] = []
        left = 0
        for thing in things:
            needs = 2 * size(thing) + BESIDE
            if needs > left or not parts:
                parts.append([])
                left = room
            parts[-1].append(thing)
            left -= needs
        return parts

    def _insertion(self, tasks: Sequence[Task]) -> str:
        plain = all(map(rows.is_plain, tasks))
        columns = sql.PLAIN_COLUMNS if plain else sql.FULL_COLUMNS
        now = self.text.now()
        values = ", ".join(_values(task, plain, now) for task in tasks)
        return f"{self.text.template(f'INSERT INTO taskkitx_task ({columns}) VALUES')} {values}"

    def _inserted_before(self, tasks: Sequence[Task], inserted: list[bool]) -> list[bool]:
        """The reply of an earlier try was lost: what stands under our own ids is what it put."""
        found = self.rows_each(sql.STATE, [{"id": task.id} for task in tasks])
        return [new or bool(rows) for new, rows in zip(inserted, found, strict=True)]


def data_size(task: Task) -> int:
    """The bytes that travel as hexadecimal digits."""
    return len(task.data)


def _values(task: Task, plain: bool, now: str) -> str:
    """The values of `statements.PLAIN_COLUMNS` or `FULL_COLUMNS`, written out."""
    state, at, after = rows.due_parts(task)
    due = f"{now} + {literal(after)}" if at is None else literal(at)
    values = [literal(value) for value in (task.id, task.group, task.name, task.data, state)]
    values += (literal(-task.priority), due, now, literal(task.ttl))
    if not plain:
        values += [literal(value) for value in rows.rest_of_row(task)]
    return f"({', '.join(values)})"
