"""The shared statements on one SQLite connection. Everything in a transaction happens at one moment of each clock."""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any

from taskkitx.backends.sql import rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.session import NONE, Parameters, Row
from taskkitx.clock import Clock
from taskkitx.task import Task

_MARKS = {
    columns: ", ".join("?" * len(columns.split(", ")))
    for columns in (sql.PLAIN_COLUMNS, sql.FULL_COLUMNS)
}
PUT, PUT_ALL = (
    f"INSERT INTO taskkitx_task ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    for columns, marks in _MARKS.items()
)


class SqliteSession:
    """See `Session`."""

    def __init__(self, connection: sqlite3.Connection, now: float, lease_clock: Clock) -> None:
        """`now`: read once, while the write lock is held."""
        self.connection = connection
        self.now = now
        self._lease_clock = lease_clock

    def _bound(self, parameters: Parameters) -> Parameters:
        return {**parameters, "now": self.now, "lease_now": self._lease_clock()}

    def rows(self, statement: str, parameters: Parameters = NONE) -> list[Row]:
        return all_rows(self.connection, _text(statement), self._bound(parameters))

    def change(self, statement: str, parameters: Parameters = NONE) -> int:
        return self.connection.execute(_text(statement), self._bound(parameters)).rowcount

    def rows_each(self, statement: str, many: Sequence[Parameters]) -> list[list[Row]]:
        return [self.rows(statement, parameters) for parameters in many]

    def change_each(self, statement: str, many: Sequence[Parameters]) -> list[int]:
        return [self.change(statement, parameters) for parameters in many]

    def unless_taken(self, statement: str, parameters: Parameters = NONE) -> int:
        try:
            return self.change(statement, parameters)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in _TAKEN:
                return 0
            raise

    def insert(self, tasks: Sequence[Task]) -> list[bool]:
        if len(tasks) > 1 and all(map(rows.is_plain, tasks)):
            self.connection.execute("SAVEPOINT taskkitx_put")
            many = [rows.plain_row(task, self.now) for task in tasks]
            inserted = self.connection.executemany(PUT, many).rowcount
            if inserted != len(tasks):
                # Some stood already; which ones, only one at a time can tell.
                self.connection.execute("ROLLBACK TO taskkitx_put")
            self.connection.execute("RELEASE taskkitx_put")
            if inserted == len(tasks):
                return [True] * inserted
        return [self._insert_one(task) for task in tasks]

    def _insert_one(self, task: Task) -> bool:
        if rows.is_plain(task):
            inserted = self.connection.execute(PUT, rows.plain_row(task, self.now))
        else:
            inserted = self.connection.execute(PUT_ALL, rows.full_row(task, self.now))
        return inserted.rowcount == 1


_TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


def all_rows(
    connection: sqlite3.Connection, statement: str, parameters: Parameters | Sequence[Any]
) -> list[Row]:
    """All rows of a query, whatever somebody else has written as text."""
    try:
        return connection.execute(statement, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    connection.text_factory = _any_text
    try:
        return connection.execute(statement, parameters).fetchall()
    finally:
        connection.text_factory = str


def _any_text(written: bytes) -> str:
    return written.decode(errors="backslashreplace")


@cache
def _text(statement: str) -> str:
    """SQLite locks the whole file, never a row."""
    return statement.replace(sql.SKIP_LOCKED, "").replace(" FOR UPDATE", "")
