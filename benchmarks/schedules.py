"""How punctual schedules are, and what they cost after a long outage."""

import statistics
import time
from pathlib import Path

from benchmarks import tree
from benchmarks.figure import Figure, Figures
from taskkitx import CronSchedule, RegularSchedule, ScheduleEntry
from taskkitx.backends.memory import MemoryBackend
from taskkitx.localtime import MachineZone
from taskkitx.record import Record, TaskFilter
from taskkitx.testing import FakeClock
from taskkitx.worker.scheduling import Scheduler

MONTH = 30 * 24 * 3600.0
MISSED = ("latest", "earliest", "skip", "all(100)", "all(1000)")


def punctuality(folder: Path, seconds: float = 20.0) -> Figures:
    """From the instant to the store, and to the handler."""
    with tree.store(folder, "clockwork") as kit:
        kit.backend.open()
        with tree.workers(app="benchmarks.clockwork:kit"):
            time.sleep(seconds)
        records = kit.backend.list_tasks(TaskFilter(), limit=1000)
    put = sorted(record.task.created - _instant(record) for record in records)
    started = sorted(float(r.result) - _instant(r) for r in records if r.result is not None)
    return {
        "instant until its task is put, p50": _milliseconds(statistics.median(put), ""),
        f"instant until its task is put, worst of {len(put)}": _milliseconds(put[-1], "<= 100 ms"),
        "instant until its task starts, p50": _milliseconds(statistics.median(started), ""),
    }


def _instant(record: Record) -> float:
    assert record.task.scheduled is not None
    return record.task.scheduled


def outage(folder: Path) -> Figures:
    """The first look after a month, for an entry every second."""
    schedules = {
        "regular": RegularSchedule("*", tzinfo="Europe/Paris"),
        "cron": CronSchedule("* * * * * *"),
    }
    return {
        f"a month's outage, {kind}, {missed}": _milliseconds(_first_look(folder, entry), "")
        for kind, schedule in schedules.items()
        for missed in MISSED
        if (entry := ScheduleEntry("key", schedule, "g", "n", b"", missed=missed))
    }


def _first_look(folder: Path, entry: ScheduleEntry) -> float:
    clock = FakeClock()
    backend = MemoryBackend(f"memory://{folder.name}-{time.monotonic_ns()}", clock=clock)
    Scheduler(backend, "s", [entry], MachineZone())()
    clock.advance(MONTH)
    scheduler = Scheduler(backend, "s", [entry], MachineZone())
    began = time.perf_counter()
    scheduler()
    return time.perf_counter() - began


def _milliseconds(seconds: float, target: str) -> Figure:
    return Figure(seconds * 1000, "ms", None, target)


ALL = {"punctuality": punctuality, "outage": outage}
