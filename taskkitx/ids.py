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
    random = int.from_bytes(_random_bytes()) & 0x3FFFFFFFFFFFFFFF
    return f"{milliseconds:012x}{0x7000 | fraction * 4096 // 1_000_000:04x}{1 << 63 | random:016x}"


def _random_bytes() -> bytes:
    """Eight random bytes out of a larger read: a system call for each id would double the cost of an enqueue."""
    try:
        return _slices.pop()  # one atomic step, so that no two threads get the same slice
    except IndexError:
        raw = os.urandom(8 * 256)
        _slices.extend(raw[i : i + 8] for i in range(0, len(raw), 8))
        return os.urandom(8)


_slices: list[bytes] = []
# A forked child must not repeat its parent's ids.
os.register_at_fork(after_in_child=_slices.clear)


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
