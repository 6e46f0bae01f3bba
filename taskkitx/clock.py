"""What time it is, for each of the three questions a queue asks.

`now` is wall time for people and for `due`; `monotonic` measures waits inside one process; `boottime` measures
leases, because it goes on while the machine is suspended and never jumps. No process compares its own wall clock
with another host's: stores compare times by their own clock.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

Clock = Callable[[], float]

now: Clock = time.time
monotonic: Clock = time.monotonic


def boottime() -> float:
    """Seconds since boot, suspension included where the system tells (Linux); else monotonic seconds."""
    return time.clock_gettime(_BOOT_CLOCK) if _BOOT_CLOCK is not None else time.monotonic()


_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


@cache
def boot_id() -> str:
    """What tells this boot of this machine from every other; empty where the system has no such id."""
    return _read("/proc/sys/kernel/random/boot_id")


@cache
def pid_namespace() -> str:
    """In which namespace a pid has its meaning: containers share a boot id but not their pids."""
    try:
        return Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def as_timestamp(moment: datetime | float) -> float:
    """UNIX seconds of a datetime (a naive one is local time, as in the standard library) or of a number."""
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def as_datetime(timestamp: float) -> datetime:
    """The aware UTC datetime of UNIX seconds."""
    return datetime.fromtimestamp(timestamp, UTC)
