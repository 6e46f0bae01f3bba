"""What MySQL needs in place of partial indexes: columns that are NULL where such an index would have no entry.

Every change of a task's state rewrites the entries of each index that holds the state, so only the two indexes of the
hot path do (`claim` and `owned`); the others stand on columns that most changes leave as they are.
"""

from typing import Any

from sqlalchemy import Column, Computed, Float, Index, Integer, String, Table
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles

COLLATION = "utf8mb4_bin"
"""Bytewise, for text that is kept and never compared: it takes no notice of spaces at the end."""

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": COLLATION,
}

INDEXES = (
    ("claim", ("state", "grp", "rank", "due", "id")),
    ("scheduled", ("grp", "later")),
    ("parked", ("grp", "parked", "rank", "due", "id")),
    ("owned", ("state", "worker_id", "claim_seq")),
    ("finished", ("grp", "ended", "disposable")),
    ("failed", ("failed", "id")),
    ("unique", ("unique_key",)),
)


class BytewiseName(String):
    """Text that is compared, all its bytes, spaces at the end included.

    The two servers call that collation by different names, and each takes the other's for a comment. MySQL before
    8.0.17 has none: there, a name with a space at its end equals the one without.
    """

    cache_ok = True


@compiles(BytewiseName, "mysql", "mariadb")
def _bytewise(name: BytewiseName, _: Any, **__: Any) -> str:
    return (
        f"VARCHAR({name.length}) CHARACTER SET utf8mb4 "
        "/*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */"
    )


def add(task: Table, prefix: str) -> None:
    """The columns and indexes of the task table."""
    for column in _columns(task.c.name.type):
        task.append_column(column)
    for name, columns in INDEXES:
        Index(f"{prefix}task_{name}", *(task.c[c] for c in columns), unique=name == "unique")


def _columns(name_type: Any) -> list[Column[Any]]:
    return [
        Column(name, kind, Computed(f"CASE WHEN {when} THEN {what} END", persisted=True))
        for name, kind, when, what in (
            ("later", Float().with_variant(mysql.DOUBLE(), "mysql"), "state = 0", "due"),
            ("parked", name_type, "state = 3", "name"),
            ("ended", Integer(), "disposable IS NOT NULL", "state"),
            ("failed", Integer(), "state = 7", "1"),
        )
    ]
