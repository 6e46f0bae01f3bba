"""What the system knows of a process: when it started, its memory, its title."""

import os
from pathlib import Path

from setproctitle import setproctitle

_PAGE = os.sysconf("SC_PAGE_SIZE")


def started_at(pid: int) -> float:
    """The pid's start time in clock ticks since boot, which tells it from a later process; 0: gone or unknown."""
    fields = _stat(pid)
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


def resident_memory(pid: int) -> int:
    """Bytes of memory the process occupies; 0: unknown."""
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat after the command, the state first."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text[text.rfind(")") + 2 :].split()


def set_title(role: str, instance: str) -> None:
    """Name this process for people: `taskkitx: worker [instance]`."""
    setproctitle(f"taskkitx: {role} [{instance}]" if instance else f"taskkitx: {role}")
