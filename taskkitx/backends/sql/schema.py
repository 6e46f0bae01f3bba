"""The tables, as SQLAlchemy metadata: what a new store is made of, and what migrations end at.

States appear as numbers in partial indexes (see TaskState); statements render them as literals for the same reason.
Nothing but `claim` may make the cost of a claim grow, so every index beside it leaves waiting rows out. MySQL has no
partial indexes: there the state comes first.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

from taskkitx.backends.sql import mysql_schema
from taskkitx.backends.sql.schema_names import PREFIX
from taskkitx.ids import MAX_GROUP, MAX_NAME

FLOAT = Float().with_variant(mysql.DOUBLE(), "mysql")
BIG = Integer().with_variant(BigInteger(), "postgresql", "mysql")
BYTES = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
LONG_TEXT = (
    Text()
    .with_variant(postgresql.TEXT(collation="C"), "postgresql")
    .with_variant(mysql.LONGTEXT(collation=mysql_schema.COLLATION), "mysql")
)


def name_type(length: int) -> TypeEngine[str]:
    """Text that is compared, bytewise; MySQL indexes only text of a known length."""
    return (
        Text()
        .with_variant(postgresql.TEXT(collation="C"), "postgresql")
        .with_variant(mysql_schema.BytewiseName(length), "mysql")
    )


ID = name_type(MAX_GROUP + 33)
GROUP = name_type(MAX_GROUP)
NAME = name_type(MAX_NAME)
WORD = name_type(40)


def tables(dialect: str, prefix: str = PREFIX, schema: str | None = None) -> MetaData:
    """All tables for `sqlite`, `postgresql` or `mysql`, named with `prefix` and in `schema`."""
    metadata = MetaData(schema=schema)
    _task(metadata, dialect, prefix)
    Table(
        f"{prefix}attempt",
        metadata,
        Column("task_id", ID, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("worker_id", ID),
        Column("began", FLOAT),
        Column("ended", FLOAT, nullable=False),
        Column("state", WORD, nullable=False),
        Column("kind", LONG_TEXT, nullable=False),
        Column("message", LONG_TEXT, nullable=False),
        Column("trace", LONG_TEXT, nullable=False),
        UniqueConstraint("task_id", "attempt", name=f"{prefix}attempt_once"),
        **mysql_schema.OPTIONS,
    )
    Table(
        f"{prefix}worker",
        metadata,
        Column("id", ID, primary_key=True, nullable=False),
        Column("instance", LONG_TEXT, nullable=False),
        Column("host", LONG_TEXT, nullable=False),
        Column("pid", BIG, nullable=False),
        Column("boot_id", LONG_TEXT, nullable=False),
        Column("pid_namespace", LONG_TEXT, nullable=False),
        Column("pid_started", FLOAT, nullable=False),
        Column("started", FLOAT, nullable=False),
        Column("lease_until", FLOAT, nullable=False),
        Column("info", LONG_TEXT, nullable=False),
        **mysql_schema.OPTIONS,
    )
    Table(
        f"{prefix}pause",
        metadata,
        Column("grp", GROUP, primary_key=True, nullable=False),
        Column("paused", Integer, nullable=False),
        **mysql_schema.OPTIONS,
    )
    Table(
        f"{prefix}scheduler",
        metadata,
        Column("name", NAME, primary_key=True, nullable=False),
        Column("state", BYTES, nullable=False),
        **mysql_schema.OPTIONS,
    )
    Table(
        f"{prefix}event",
        metadata,
        Column("id", BIG, primary_key=True, autoincrement=True),
        Column("sent", FLOAT, nullable=False),
        Column("data", BYTES, nullable=False),
        sqlite_autoincrement=True,
        **mysql_schema.OPTIONS,
    )
    return metadata


def _number(name: str, kind: TypeEngine[int] | None = None) -> Column[int]:
    return Column(name, kind or Integer(), nullable=False, server_default=text("0"))


def _task(metadata: MetaData, dialect: str, prefix: str) -> None:
    task = Table(
        f"{prefix}task",
        metadata,
        Column("id", ID, primary_key=True, nullable=False),
        Column("grp", GROUP, nullable=False),
        Column("name", NAME, nullable=False),
        Column("state", Integer, nullable=False),
        _number("rank", BIG),
        Column("due", FLOAT, nullable=False),
        Column("created", FLOAT, nullable=False),
        Column("scheduled", FLOAT),
        Column("ttl", FLOAT, nullable=False),
        _number("retry_count"),
        _number("attempt"),
        Column("worker_id", ID),
        Column("claim_seq", BIG),
        Column("began", FLOAT),
        _number("crashes"),
        _number("lost"),
        Column("loss", LONG_TEXT),
        _number("solo"),
        Column("timeout", FLOAT),
        Column("expires", FLOAT),
        Column("unique_name", NAME),
        Column("unique_key", NAME),
        Column("unique_until", WORD),
        Column("unique_for", FLOAT),
        Column("headers", LONG_TEXT),
        Column("done", FLOAT),
        Column("disposable", FLOAT),
        Column("progress", LONG_TEXT),
        Column("cancel_requested", FLOAT),
        Column("cancelled_by", LONG_TEXT),
        _number("blocked_by"),
        Column("error", LONG_TEXT),
        Column("data", BYTES, nullable=False),
        Column("result", BYTES),
        **mysql_schema.OPTIONS,
        **_POSTGRES if dialect == "postgresql" else {},
    )
    if dialect == "mysql":
        mysql_schema.add(task, prefix)
        return
    order = ("rank", "due", "id")
    for name, condition, columns in (
        ("claim", "state = 1", ("grp", *order)),
        ("scheduled", "state = 0", ("grp", "due")),
        ("solo", "state = 2", ("grp", *order)),
        ("parked", "state = 3", ("grp", "name", *order)),
        ("owned", "state = 5", ("worker_id", "claim_seq")),
        ("finished", "disposable IS NOT NULL", ("grp", "state", "disposable")),
        ("failed", "state = 7", ("id",)),
        ("unique", "unique_key IS NOT NULL", ("unique_key",)),
    ):
        partial: dict[str, Any] = {f"{dialect}_where": text(condition)}
        Index(
            f"{prefix}task_{name}",
            *(task.c[column] for column in columns),
            unique=name == "unique",
            **partial,
        )


# Rows change often and every change leaves a dead one behind: vacuum early, and without pauses.
_POSTGRES: dict[str, Any] = {
    "postgresql_with": {
        "fillfactor": 80,
        "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_threshold": 1000,
        "autovacuum_vacuum_cost_delay": 0,
    }
}
