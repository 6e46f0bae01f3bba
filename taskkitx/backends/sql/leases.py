"""Workers and their leases on SQLite, and taking tasks back from the dead.

Leases count boot-clock seconds of one boot: another boot id, or a pid that is gone from our own pid namespace, proves
death at once, and no step of the wall clock can.
"""

import json
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskkitx import clock as clocks
from taskkitx import process
from taskkitx.backend import Lost, WorkerRecord
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.cycle import remember, wait_again
from taskkitx.backends.sql.rows import to_worker
from taskkitx.clock import Clock
from taskkitx.ids import group_of

BACK_OFF = 10.0
SOLO_FROM_LOST = 2


@dataclass(frozen=True, slots=True)
class LeaseClock:
    """The time leases are kept in."""

    now: Clock = clocks.boottime
    boot_id: str = ""
    pid_namespace: str = ""

    def is_over(self, worker: WorkerRecord, lease_until: float) -> bool:
        """Whether this worker has to be taken for dead."""
        if lease_until <= self.now():
            return True
        if self.boot_id and worker.boot_id != self.boot_id:
            return True
        if not self.pid_namespace or worker.pid_namespace != self.pid_namespace:
            return False
        return not process.is_alive(worker.pid, worker.pid_started)


def lease_clock(test_clock: Clock | None) -> LeaseClock:
    """The machine's, or a test's: then no process is looked at."""
    if test_clock is not None:
        return LeaseClock(test_clock)
    return LeaseClock(clocks.boottime, clocks.boot_id(), clocks.pid_namespace())


def register(
    connection: sqlite3.Connection, worker: WorkerRecord, ttl: float, leases: LeaseClock, now: float
) -> None:
    """Make a worker known."""
    row = (
        worker.id,
        worker.instance,
        worker.host,
        worker.pid,
        worker.boot_id,
        worker.pid_namespace,
        worker.pid_started,
        now,
        leases.now() + ttl,
        json.dumps(dict(worker.info)),
    )
    connection.execute(sql.REGISTER, row)


def renew(
    connection: sqlite3.Connection,
    workers: Mapping[str, Mapping[str, Any]],
    ttl: float,
    leases: LeaseClock,
) -> set[str]:
    """Extend leases; returns the ids that are known."""
    until = leases.now() + ttl
    return {
        worker_id
        for worker_id, info in workers.items()
        if connection.execute(sql.RENEW, (until, json.dumps(dict(info)), worker_id)).rowcount
    }


def known_workers(
    connection: sqlite3.Connection, leases: LeaseClock
) -> list[tuple[WorkerRecord, float]]:
    """Every worker with the end of its lease, oldest first."""
    now = leases.now()
    return [
        (to_worker(row, row[8] - now), row[8]) for row in connection.execute(sql.WORKERS).fetchall()
    ]


def expired_workers(connection: sqlite3.Connection, leases: LeaseClock) -> list[str]:
    """Who is dead, and owners nobody knows."""
    known = known_workers(connection, leases)
    owners = {row[0] for row in connection.execute(sql.OWNERS).fetchall()}
    over = {worker.id for worker, until in known if leases.is_over(worker, until)}
    return sorted(over | (owners - {worker.id for worker, _ in known}))


def restore(
    connection: sqlite3.Connection,
    worker_id: str,
    charged: Mapping[str, Lost],
    suspects: Mapping[str, Lost],
    lost: Lost | None,
    limit: int,
    now: float,
) -> tuple[int, set[str]]:
    """Take a page of tasks back; returns how many, and their groups."""
    page = connection.execute(sql.OWNED_PAGE, (worker_id, limit)).fetchall()
    for task_id, attempt, crashes, times_lost, _ in page:
        fence = {"id": task_id, "attempt": attempt, "worker": worker_id, "now": now}
        change: dict[str, Any] = {"solo": 0, "due": None, "loss": None, "crashes": 0, "lost": 0}
        if loss := charged.get(task_id):
            remember(connection, fence, "crashed", "crash", loss.cause, loss.trace)
            due = now + BACK_OFF * 2**crashes
            change |= {"solo": 1, "due": due, "loss": loss.cause, "crashes": 1}
        elif loss := suspects.get(task_id):
            change |= {"solo": 1, "loss": loss.cause}
        elif lost is not None:
            remember(connection, fence, "lost", "lost", lost.cause, lost.trace)
            # Full jitter, so that the tasks that vanished together do not meet again.
            due = now + random.uniform(0.0, BACK_OFF * 2**times_lost)
            solo = int(times_lost + 1 >= SOLO_FROM_LOST)
            change |= {"solo": solo, "due": due, "loss": lost.cause, "lost": 1}
        connection.execute(sql.RESTORE, fence | change)
    wait_again(connection, [row[0] for row in page], now)
    connection.execute(sql.FORGET_WORKER, {"id": worker_id})
    return len(page), {group_of(row[0]) for row in page}
