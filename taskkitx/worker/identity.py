"""What a worker tells the store about its process, so that others can see whether it still lives."""

import os
import socket
from pathlib import Path

from taskkitx import clock
from taskkitx.backend import WorkerRecord


def describe(worker_id: str, instance: str) -> WorkerRecord:
    """The record of a worker living in this process."""
    pid = os.getpid()
    return WorkerRecord(
        id=worker_id,
        instance=instance,
        host=socket.gethostname(),
        pid=pid,
        boot_id=clock.boot_id(),
        pid_namespace=clock.pid_namespace(),
        pid_started=pid_started(pid) or 0.0,
    )


def pid_started(pid: int) -> float | None:
    """Start time of a process in clock ticks since boot; None when there is no such process or no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command name, in parentheses, may itself contain spaces and parentheses.
    return float(stat.rpartition(")")[2].split()[19])
