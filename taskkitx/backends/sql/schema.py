"""The tables, as SQLAlchemy metadata: what a new store is made of, and what migrations end at.

States appear as numbers in partial indexes (see TaskState); statements render them as literals for the same reason.
Nothing but `claim` may make the cost of a claim grow, so every index beside it leaves waiting rows out.
"""

from sqlalchemy import (
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

metadata = MetaData()


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


task = Table(
    "taskkitx_task",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("grp", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Integer, nullable=False),
    _number("rank"),
    Column("due", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("scheduled", Float),
    Column("ttl", Float, nullable=False),
    _number("retry_count"),
    _number("attempt"),
    Column("worker_id", Text),
    Column("claim_seq", Integer),
    Column("began", Float),
    _number("crashes"),
    _number("lost"),
    Column("loss", Text),
    _number("solo"),
    Column("timeout", Float),
    Column("expires", Float),
    Column("unique_name", Text),
    Column("unique_key", Text),
    Column("unique_until", Text),
    Column("unique_for", Float),
    Column("headers", Text),
    Column("done", Float),
    Column("disposable", Float),
    Column("progress", Text),
    Column("cancel_requested", Float),
    Column("cancelled_by", Text),
    _number("blocked_by"),
    Column("error", Text),
    Column("data", LargeBinary, nullable=False),
    Column("result", LargeBinary),
)

Index(
    "taskkitx_task_claim",
    task.c.grp,
    task.c.rank,
    task.c.due,
    task.c.id,
    sqlite_where=text("state = 1"),
)
Index("taskkitx_task_scheduled", task.c.grp, task.c.due, sqlite_where=text("state = 0"))
Index(
    "taskkitx_task_solo",
    task.c.grp,
    task.c.rank,
    task.c.due,
    task.c.id,
    sqlite_where=text("state = 2"),
)
Index(
    "taskkitx_task_parked",
    task.c.grp,
    task.c.name,
    task.c.rank,
    task.c.due,
    task.c.id,
    sqlite_where=text("state = 3"),
)
Index("taskkitx_task_owned", task.c.worker_id, task.c.claim_seq, sqlite_where=text("state = 5"))
Index(
    "taskkitx_task_finished",
    task.c.grp,
    task.c.state,
    task.c.disposable,
    sqlite_where=text("disposable IS NOT NULL"),
)
Index("taskkitx_task_failed", task.c.id, sqlite_where=text("state = 7"))
Index(
    "taskkitx_task_unique",
    task.c.unique_key,
    unique=True,
    sqlite_where=text("unique_key IS NOT NULL"),
)

attempt = Table(
    "taskkitx_attempt",
    metadata,
    Column("task_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker_id", Text),
    Column("began", Float),
    Column("ended", Float, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("trace", Text, nullable=False),
    UniqueConstraint("task_id", "attempt", name="taskkitx_attempt_once"),
)

worker = Table(
    "taskkitx_worker",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("instance", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("pid_namespace", Text, nullable=False),
    Column("pid_started", Float, nullable=False),
    Column("started", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("info", Text, nullable=False),
)

pause = Table(
    "taskkitx_pause",
    metadata,
    Column("grp", Text, primary_key=True, nullable=False),
    Column("paused", Integer, nullable=False),
)

scheduler = Table(
    "taskkitx_scheduler",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

event = Table(
    "taskkitx_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sent", Float, nullable=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
