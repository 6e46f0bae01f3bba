"""What a supervisor wants to know and show of a process besides whether it lives: its memory, its title."""

import os

from setproctitle import setproctitle

from taskkitx.process import stat_fields

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_memory(pid: int) -> int:
    """Bytes of memory the process occupies; 0: unknown."""
    fields = stat_fields(pid)
    return int(fields[21]) * PAGE if fields else 0


def set_title(role: str, instance: str) -> None:
    """Name this process for people: `taskkitx: worker [instance]`."""
    setproctitle(f"taskkitx: {role} [{instance}]" if instance else f"taskkitx: {role}")
