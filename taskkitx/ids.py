"""Ids of tasks and workers: time-ordered, so that primary keys grow at the right edge, and made by the client.

A task's id is `{group}_{32 hex}`, the hex being a UUIDv7 (RFC 9562, section 5.7).
"""

import os
import secrets
import time

from taskkitx.errors import InvalidTask

MAX_GROUP = 40
MAX_NAME = 255


def make_task_id(group: str) -> str:
    """A new id for a task of `group`."""
    return f"{group}_{uuid7_hex()}"


def group_of(task_id: str) -> str:
    """The group a task id names."""
    group, mark, _ = task_id.rpartition("_")
    return group if mark else task_id


def make_worker_id() -> str:
    """A new identity for one life of one worker process; never used again."""
    return f"wk_{secrets.token_hex(16)}"


def uuid7_hex() -> str:
    """The 32 hex digits of a UUIDv7: milliseconds, 12 bits of the millisecond's fraction (so that one process's ids
    grow in the order they were made), 62 random bits."""
    try:
        random = _stock.pop()  # one atomic step, so that no two threads get the same digits
    except IndexError:
        random = _take_stock()
    ns = time.time_ns()
    return f"{ns // 1_000_000 << 16 | 0x7000 | ns % 1_000_000 * 4096 // 1_000_000:016x}{random}"


def _take_stock() -> str:
    """The random half of a UUID, its variant in front, and many more for later: a system call for each id would double
    the cost of an enqueue."""
    raw = os.urandom(8 * 256)
    digits = raw.hex()
    first, *others = (
        "89ab"[raw[at] >> 6] + digits[2 * at + 1 : 2 * at + 16] for at in range(0, len(raw), 8)
    )
    _stock.extend(others)
    return first


_stock: list[str] = []
# A forked child must not repeat its parent's ids.
os.register_at_fork(after_in_child=_stock.clear)


def check_group(group: str) -> str:
    """`group` itself; raises InvalidTask when it is empty, too long or not a string."""
    if isinstance(group, str) and 0 < len(group) <= MAX_GROUP and group.isprintable():
        return group
    raise _refusal("group", group, MAX_GROUP)


def check_name(name: str) -> str:
    """`name` itself; raises InvalidTask when it is empty, too long or not a string."""
    if isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable():
        return name
    raise _refusal("name", name, MAX_NAME)


def _refusal(what: str, value: str, limit: int) -> InvalidTask:
    if not isinstance(value, str) or not value:
        return InvalidTask(f"a task's {what} is a non-empty string, not {value!r}")
    if len(value) > limit:
        return InvalidTask(
            f"a task's {what} has at most {limit} characters; {value[:20]!r}... has {len(value)}"
        )
    return InvalidTask(f"a task's {what} has only printable characters, unlike {value!r}")
