"""What the system knows of a process, by which one host can tell a dead process from a living one."""

import os
from pathlib import Path


def started_at(pid: int) -> float:
    """The pid's start time in clock ticks since boot, which tells it from a later process; 0: gone or unknown."""
    fields = stat_fields(pid)
    return float(fields[19]) if fields and fields[0] not in ("Z", "X") else 0.0


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that started then still runs under this pid."""
    if os.path.isdir("/proc/self"):
        return started_at(pid) == started != 0.0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/pid/stat after the command, the state first; empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    # The command, in parentheses, may itself contain spaces and parentheses.
    return text[text.rfind(")") + 2 :].split()
