"""Leases on SQLite count boot-clock seconds of one boot: no step of the wall clock can end one, and another boot id,
or a pid that is gone from our own pid namespace, proves death at once."""

from dataclasses import dataclass

from taskkitx import clock as clocks
from taskkitx import process
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.leases import known_workers
from taskkitx.backends.sql.session import Session
from taskkitx.clock import Clock
from taskkitx.record import WorkerRecord


@dataclass(frozen=True, slots=True)
class LeaseClock:
    """The time leases are kept in."""

    now: Clock = clocks.boottime
    boot_id: str = ""
    pid_namespace: str = ""

    def expired_workers(self, session: Session) -> list[str]:
        """Who is dead, and owners nobody knows."""
        owners = {row[0] for row in session.rows(sql.OWNERS)}
        # Workers second: who registered and claimed in between must not look like an owner nobody knows.
        known = known_workers(session)
        dead = {worker.id for worker in known if self.is_over(worker)}
        return sorted(dead | (owners - {worker.id for worker in known}))

    def is_over(self, worker: WorkerRecord) -> bool:
        """Whether this worker has to be taken for dead."""
        if worker.lease_left <= 0:
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
