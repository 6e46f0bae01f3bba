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
    return task_id.rsplit("_", 1)[0]


def make_worker_id() -> str:
    """A new identity for one life of one worker process; never used again."""
    return f"wk_{secrets.token_hex(16)}"


def uuid7_hex() -> str:
    """The 32 hex digits of a UUIDv7: milliseconds, 12 bits of the millisecond's fraction (so that one process's ids
    grow in the order they were made), 62 random bits."""
    milliseconds, fraction = divmod(time.time_ns(), 1_000_000)
    return f"{milliseconds << 16 | 0x7000 | fraction * 4096 // 1_000_000:016x}{_random_digits()}"


def _random_digits() -> str:
    """The random half of a UUID, its variant in front, out of a larger read: a system call for each id would double
    the cost of an enqueue."""
    try:
        return _stock.pop()  # one atomic step, so that no two threads get the same digits
    except IndexError:
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
    return _check("group", group, MAX_GROUP)


def check_name(name: str) -> str:
    """`name` itself; raises InvalidTask when it is empty, too long or not a string."""
    return _check("name", name, MAX_NAME)


def _check(what: str, value: str, limit: int) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidTask(f"a task's {what} is a non-empty string, not {value!r}")
    if len(value) > limit:
        raise InvalidTask(
            f"a task's {what} has at most {limit} characters; {value[:20]!r}... has {len(value)}"
        )
    if not value.isprintable():
        raise InvalidTask(f"a task's {what} has only printable characters, unlike {value!r}")
    return value
