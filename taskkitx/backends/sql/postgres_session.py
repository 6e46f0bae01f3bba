"""The shared statements on one psycopg connection. Times are the server's, read inside the statement."""

import re
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.schema_names import Naming
from taskkitx.backends.sql.session import NONE, Parameters, Row
from taskkitx.clock import Clock
from taskkitx.task import Task

PgConnection = psycopg.Connection[Any]
Answer = TypeVar("Answer")


class OurConnection(psycopg.Connection[Any]):
    """A connection of the engine's own."""

    answer_within: float = float("inf")
    """Seconds after which a server that says nothing is taken for gone."""
    kept_cursor: psycopg.Cursor[Row]
    """For one statement after the other: making a cursor for each would cost a tenth of an enqueue."""

    def wait(
        self, gen: Generator[Any, Any, Answer], interval: float = 0.1, *args: Any, **options: Any
    ) -> Answer:
        """As psycopg's, but not for ever: it asks the kernel, which also speaks for a server that has stopped."""
        return super().wait(_bounded(gen, self.answer_within), interval, *args, **options)


def _bounded(steps: Generator[Any, Any, Answer], seconds: float) -> Generator[Any, Any, Answer]:
    """The steps of a conversation with the server, as long as it says something in time."""
    deadline = time.monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise psycopg.OperationalError(f"the server has said nothing for {seconds:g} s")
            wanted = steps.send(ready)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


# When the server received the statement: unlike `clock_timestamp()` it lets an index be used, unlike `now()` it goes on
# within a transaction.
CLOCK = "date_part('epoch', statement_timestamp())"

_TYPES = {
    "id": "text",
    "grp": "text",
    "name": "text",
    "data": "bytea",
    "state": "int",
    "rank": "bigint",
    "at": "float8",
    "after": "float8",
    "ttl": "float8",
    "scheduled": "float8",
    "retry_count": "int",
    "attempt": "int",
    "crashes": "int",
    "lost": "int",
    "loss": "text",
    "timeout": "float8",
    "expires": "float8",
    "unique_name": "text",
    "unique_key": "text",
    "unique_until": "text",
    "unique_for": "float8",
    "headers": "text",
}
_COLUMNS = {"at": "due", "after": "created"}
_PLAIN = 9
"""How many of these a plain task needs."""


def _insert(names: Sequence[str], source: str) -> str:
    values = {"at": "coalesce(v.at, c.now + v.after)", "after": "c.now"}
    return (
        f"INSERT INTO taskkitx_task ({', '.join(_COLUMNS.get(name, name) for name in names)}) "
        f"SELECT {', '.join(values.get(name, f'v.{name}') for name in names)} "
        f"FROM {source} AS v({', '.join(names)}), (SELECT :now AS now) AS c ON CONFLICT DO NOTHING"
    )


def _insert_one(names: Sequence[str]) -> str:
    values = {"at": "coalesce(:at::float8, :now + :after::float8)", "after": ":now"}
    return (
        f"INSERT INTO taskkitx_task ({', '.join(_COLUMNS.get(name, name) for name in names)}) "
        f"VALUES ({', '.join(values.get(name, f':{name}') for name in names)})"
    )


def _insert_many(names: Sequence[str]) -> str:
    arrays = ", ".join(f":{name}::{_TYPES[name]}[]" for name in names)
    return f"{_insert(names, f'unnest({arrays})')} RETURNING id"


_FULL_NAMES = tuple(_TYPES)
_PLAIN_NAMES = _FULL_NAMES[:_PLAIN]
_ONE = {len(names): _insert_one(names) for names in (_PLAIN_NAMES, _FULL_NAMES)}
_MANY = {len(names): _insert_many(names) for names in (_PLAIN_NAMES, _FULL_NAMES)}


class Text:
    """The shared text as psycopg takes it, with this store's names and clock."""

    def __init__(self, naming: Naming, clock: Clock | None) -> None:
        """`clock` is for tests; else time is the server's."""
        self._naming = naming
        self.clock = clock
        self._now = CLOCK if clock is None else "%(now)s::float8"
        self._rendered: dict[str, bytes] = {}
        self._positional: dict[str, bytes] = {}

    def __call__(self, statement: str) -> bytes:
        """The statement as bytes; psycopg takes nothing else that is made at run time."""
        rendered = self._rendered.get(statement)
        if rendered is None:
            rendered = self._rendered[statement] = self._render(statement).encode()
        return rendered

    def by_position(self, statement: str) -> bytes:
        """The statement with its parameters in the order in which it names them, where no clock is among them."""
        rendered = self._positional.get(statement)
        if rendered is None:
            rendered = self._positional[statement] = re.sub(rb"%\(\w+\)", b"%", self(statement))
        return rendered

    def _render(self, statement: str) -> str:
        text = self._naming.applied_to(statement)
        text = re.sub(r"(?<!:):(?:lease_)?now\b", lambda _: self._now, text)
        return re.sub(r"(?<!:):(\w+)", lambda match: f"%({match[1]}){_format(match[1])}", text)

    def bound(self, parameters: Parameters) -> Mapping[str, Any]:
        """The parameters, with a test's clock."""
        return parameters if self.clock is None else {**parameters, "now": self.clock()}


def _format(name: str) -> str:
    """Bytes travel as they are; as text they would double."""
    return "b" if name in ("data", "result", "results") else "s"


class PostgresSession:
    """See `Session`."""

    def __init__(self, connection: PgConnection, text: Text, *, again: bool = False) -> None:
        """`again`: an earlier try of the same work may have been committed."""
        self.connection = connection
        self._text = text
        self._again = again
        kept = getattr(connection, "kept_cursor", None)
        self._cursor: psycopg.Cursor[Row] = kept or psycopg.Cursor(
            connection, row_factory=tuple_row
        )

    def execute(self, statement: str, parameters: Parameters) -> psycopg.Cursor[Row]:
        """Run one statement; inside a pipeline the answer comes when that ends."""
        # A cursor of our own: the caller's connection may make others.
        cursor = psycopg.Cursor(self.connection, row_factory=tuple_row)
        return cursor.execute(self._text(statement), self._text.bound(parameters))

    def rows(self, statement: str, parameters: Parameters = NONE) -> list[Row]:
        cursor = self._cursor
        cursor.execute(self._text(statement), self._text.bound(parameters))
        return list(cursor.fetchall())

    def change(self, statement: str, parameters: Parameters = NONE) -> int:
        self._cursor.execute(self._text(statement), self._text.bound(parameters))
        return self._cursor.rowcount

    def rows_each(self, statement: str, many: Sequence[Parameters]) -> list[list[Row]]:
        return [list(cursor.fetchall()) for cursor in self._each(statement, many)]

    def change_each(self, statement: str, many: Sequence[Parameters]) -> list[int]:
        return [cursor.rowcount for cursor in self._each(statement, many)]

    def _each(self, statement: str, many: Sequence[Parameters]) -> list[psycopg.Cursor[Row]]:
        if len(many) <= 1:
            return [self.execute(statement, parameters) for parameters in many]
        with self.connection.pipeline():
            return [self.execute(statement, parameters) for parameters in many]

    def unless_taken(self, statement: str, parameters: Parameters = NONE) -> int:
        if statement.lstrip().startswith("INSERT"):
            return self.change(f"{statement} ON CONFLICT DO NOTHING", parameters)
        try:
            with self.connection.transaction():  # inside a transaction: a savepoint
                return self.change(statement, parameters)
        except psycopg.errors.UniqueViolation:
            return 0

    def insert(self, tasks: Sequence[Task]) -> list[bool]:
        plain = all(map(rows.is_plain, tasks))
        values = [_values(task, plain) for task in tasks]
        names = _PLAIN_NAMES if plain else _FULL_NAMES
        if len(tasks) == 1:
            inserted = [self._insert_one(names, values[0])]
        else:
            columns = dict(zip(names, map(list, zip(*values, strict=True)), strict=True))
            new = {row[0] for row in self.rows(_MANY[len(names)], columns)}
            inserted = [_take(new, task.id) for task in tasks]
        if self._again and not all(inserted):
            return self._inserted_before(tasks, inserted)
        return inserted

    def _insert_one(self, names: Sequence[str], values: tuple[Any, ...]) -> bool:
        statement = _ONE[len(names)]
        if not self._enqueues(names):
            return self.unless_taken(statement, dict(zip(names, values, strict=True))) == 1
        try:
            self._cursor.execute(self._text.by_position(statement), values)
        except psycopg.errors.UniqueViolation:
            return False
        return True

    def _enqueues(self, names: Sequence[str]) -> bool:
        """Whether this is one plain task by itself: the shortest way then, as only a replay meets its own id."""
        return (
            names is _PLAIN_NAMES
            and self._text.clock is None
            and self.connection.pgconn.transaction_status == TransactionStatus.IDLE
        )

    def _inserted_before(self, tasks: Sequence[Task], inserted: list[bool]) -> list[bool]:
        """The reply of an earlier try was lost: what stands under our own ids is what it put."""
        found = self.rows_each(sql.STATE, [{"id": task.id} for task in tasks])
        return [new or bool(rows) for new, rows in zip(inserted, found, strict=True)]


def _values(task: Task, plain: bool) -> tuple[Any, ...]:
    state, at, after = rows.due_parts(task)
    first = (task.id, task.group, task.name, task.data, state, -task.priority, at, after, task.ttl)
    return first if plain else (*first, *rows.rest_of_row(task))


def _take(new: set[str], task_id: str) -> bool:
    """Whether this id is among the new ones; the second task of the same id in one batch is not."""
    if task_id not in new:
        return False
    new.remove(task_id)
    return True
