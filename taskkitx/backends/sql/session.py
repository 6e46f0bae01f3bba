"""What the verbs need of a connection, whichever SQL store it leads to.

Statements are written once, in `statements.py`, in the SQL that SQLite and Postgres share; a session gives them to its
driver. Parameters are named (`:id`). Two are bound by the session itself: `:now`, the store's clock (a test's clock
when the backend was given one), and `:lease_now`, the clock leases are kept in. Where a store has no row locks
(SQLite), `FOR UPDATE SKIP LOCKED` is left out. Upserts are `INSERT ... ON CONFLICT (key) DO UPDATE SET a = excluded.a`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from taskkitx.task import Task

Row = Sequence[Any]
Parameters = Mapping[str, Any]
NONE: Parameters = {}


class Session(Protocol):
    """A connection while one verb uses it, mostly inside a transaction of the verb's own."""

    def rows(self, statement: str, parameters: Parameters = NONE) -> list[Row]:
        """All rows of a query."""
        ...

    def change(self, statement: str, parameters: Parameters = NONE) -> int:
        """Run a statement; how many rows its WHERE found."""
        ...

    def rows_each(self, statement: str, many: Sequence[Parameters]) -> list[list[Row]]:
        """The query once for each of these parameters, in one round trip where the store can."""
        ...

    def change_each(self, statement: str, many: Sequence[Parameters]) -> list[int]:
        """The statement once for each of these parameters, in order, in one round trip where the store can."""
        ...

    def unless_taken(self, statement: str, parameters: Parameters = NONE) -> int:
        """As `change`, but 0 when a unique key stands in its way; the transaction goes on."""
        ...

    def insert(self, tasks: Sequence[Task]) -> list[bool]:
        """Insert new tasks; for each whether it was, or its id or unique key is taken.

        `due` and `created` count from the store's clock, see `rows.due_of`.
        """
        ...


def first(found: list[Row]) -> Any:
    """The first column of the first row; None when there is no row."""
    return found[0][0] if found else None
