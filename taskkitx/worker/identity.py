"""What a worker tells the store about its process, so that others can see whether it still lives."""

import os
import socket

from taskkitx import clock, process
from taskkitx.record import WorkerRecord


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
        pid_started=process.started_at(pid),
    )
