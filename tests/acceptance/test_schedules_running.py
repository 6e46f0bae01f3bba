"""Schedules as a program meets them: on a kit, on a running worker, refused before anything is forked."""

import threading
from typing import Any

import pytest

from taskkitx import (
    CronSchedule,
    IntervalSchedule,
    InvalidSchedule,
    RegularSchedule,
    TaskHandler,
    make_kit,
)

PATIENCE = 20.0


class Handler(TaskHandler[Any, Any]):
    """Lets a test wait for what it ran."""

    def __init__(self):
        self.seen = []
        self.enough = threading.Semaphore(0)

    def handle(self, task):
        self.seen.append((task.name, task.scheduled))
        self.enough.release()

    def get_retry_interval(self, task, exception):
        return None

    def encode_data(self, group, name, data):
        return repr(data).encode()

    def encode_result(self, task, result):
        return b""

    def decode_result(self, task, encoded):
        return None


def entry(schedule, **fields):
    return {"key": "k", "schedule": schedule, "group": "default", "name": "n", "data": 1, **fields}


def test_a_running_worker_fires_what_the_kit_knows(sqlite_url):
    handler = Handler()
    kit = make_kit(
        handler,
        sqlite_url,
        schedule_entries={"s": [entry(IntervalSchedule(0.25), missed="all(100)")]},
    )
    worker = threading.Thread(target=kit.run_worker)
    worker.start()
    try:
        assert all(handler.enough.acquire(timeout=PATIENCE) for _ in range(4))
    finally:
        kit.stop_worker()
        worker.join(PATIENCE)

    instants = sorted(scheduled for _, scheduled in handler.seen)
    assert instants == [instants[0] + n * 0.25 for n in range(len(instants))]


@pytest.mark.parametrize(
    ("entries", "tz", "named"),
    [
        ([entry(RegularSchedule()), entry(CronSchedule("@daily"))], None, "key='k'"),
        ([entry("* * * * *")], None, r"schedule='\* \* \* \* \*'"),
        ([entry(RegularSchedule(), missed="newest")], None, "missed='newest'"),
        ([entry(RegularSchedule())], "Mars/Olympus", "tzinfo='Mars/Olympus'"),
    ],
)
def test_what_is_wrong_with_entries_is_said_where_they_are_given(entries, tz, named, sqlite_url):
    schedule_entries = {"s": entries}
    kit = make_kit(Handler(), sqlite_url)

    for give in (
        lambda: make_kit(Handler(), sqlite_url, schedule_entries=schedule_entries, tzinfo=tz),
        lambda: kit.start(1, {"default": 1}, schedule_entries, tz),
        lambda: kit.start_processes(1, {"default": 1}, schedule_entries, tz),
        lambda: kit.run_worker(schedule_entries=schedule_entries, tzinfo=tz),
    ):
        with pytest.raises(InvalidSchedule, match=named):
            give()
