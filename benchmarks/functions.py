"""The same application as `benchmarks.app`, through the decorator door."""

import time

from taskkitx import Queue, current_task

queue = Queue()


@queue.task()
def add(a: int, b: int) -> int:
    return a + b


@queue.task()
def steps(seconds: float) -> None:
    """Reports a thousand times a second when that was."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        current_task.progress(seconds - left, seconds, repr(time.time()))
        time.sleep(0.001)
