"""The workers of a supervisor: forked when some are missing, watched, drained, killed and buried."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from taskkitx import clock, log, process
from taskkitx.ids import make_worker_id
from taskkitx.settings import Settings
from taskkitx.supervisor.backoff import Backoff
from taskkitx.supervisor.child import Post, run_worker
from taskkitx.supervisor.children import NEVER, ChildState, Nursery, WorkerChild
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.slots import RegionState, SlotTable
from taskkitx.supervisor.target import Target
from taskkitx.supervisor.verdict import Death
from taskkitx.supervisor.watch import act, find, look


@dataclass
class Crew:
    """All living worker processes, by pid."""

    target: Target
    plan: Plan
    settings: Settings
    table: SlotTable
    nursery: Nursery
    on_fork: Callable[[WorkerChild], None]
    """Told of every new worker: its channel wants to be read."""
    workers: dict[int, WorkerChild] = field(default_factory=dict[int, WorkerChild])
    backoff: Backoff = field(default_factory=Backoff)
    healthy: bool = False
    """A worker has been ready once: from now on nothing ends the supervisor but a stop."""

    def __iter__(self) -> Iterator[WorkerChild]:
        """The ordinary workers, without the solo lane."""
        return (worker for worker in list(self.workers.values()) if not worker.solo)

    def serving(self) -> list[WorkerChild]:
        """Those that work, or are about to."""
        return [worker for worker in self if worker.serving]

    def ready(self) -> list[WorkerChild]:
        """Those that work."""
        return [worker for worker in self if worker.state is ChildState.READY]

    def working(self) -> list[WorkerChild]:
        """Those that run tasks or would: not those that boot, unless the store keeps them from it."""
        return [w for w in self if w.was_ready or w.waiting]

    @property
    def trouble(self) -> str:
        """What keeps workers from booting; empty when nothing does."""
        waiting = next((f"waits for the store: {w.waiting}" for w in self if w.waiting), "")
        failing = (
            f"boots that failed in a row: {self.backoff.deaths}" if self.backoff.deaths else ""
        )
        return waiting or failing

    @property
    def solo_lane(self) -> WorkerChild | None:
        """The lane for suspects, when it exists and is not on its way out."""
        return next((w for w in self.workers.values() if w.solo and w.serving), None)

    def staff(self, wanted: int, replacements: Replacements) -> None:
        """As many workers as wanted: fork the missing, drain the youngest beyond."""
        serving = self.serving()
        missing = wanted + replacements.extra - len(serving)
        for _ in range(missing):
            if self.spawn() is None:
                return
        surplus = [w for w in reversed(serving) if w is not replacements.newcomer]
        for worker in surplus[: max(0, -missing)]:
            worker.drain("one process fewer is wanted")

    def spawn(self, *, solo: bool = False) -> WorkerChild | None:
        """Fork one worker now; None when back-off, the fork cap, the slot table or the system forbids it."""
        now = clock.monotonic()
        if self.backoff.wait(now) > 0:
            return None
        region = self.table.free()
        if region is None:
            log.no_free_region(waiting=sum(r.state == RegionState.DEAD for r in self.table.regions))
            return None
        worker_id = make_worker_id()
        region.occupy(worker_id, solo=solo)
        supervisor = os.getpid()
        role = "solo lane" if solo else "worker"
        try:
            pid, channel = self.nursery.fork(
                lambda channel: run_worker(
                    Post(
                        self.target,
                        self.plan,
                        self.settings,
                        region,
                        channel,
                        worker_id,
                        solo,
                        supervisor,
                    )
                )
            )
        except OSError as error:
            region.state = RegionState.FREE
            delay = self.backoff.failed(now)
            log.fork_failed(role=role, error=log.one_line(error), delay=delay)
            return None
        region.pid, region.pid_started = pid, process.started_at(pid)
        worker = WorkerChild(
            pid,
            role,
            channel,
            started=now,
            deadline=now + self.settings.boot_timeout,
            region=region,
            worker_id=worker_id,
            solo=solo,
            jitter=random.uniform(-1, 1),
        )
        self.backoff.forked(now)
        self.workers[pid] = worker
        self.on_fork(worker)
        log.worker_started(role=role, pid=pid, worker_id=worker_id)
        return worker

    def is_ready(self, worker: WorkerChild) -> None:
        """It has said so."""
        if worker.state is ChildState.BOOTING:
            worker.state, worker.deadline, worker.waiting = ChildState.READY, NEVER, ""
        worker.was_ready = self.healthy = True
        self.backoff.succeeded()

    def tend(self, now: float) -> None:
        """Act on what each worker has come to."""
        for worker in list(self.workers.values()):
            finding = find(look(worker), self.settings, now)
            if finding is not None:
                act(worker, finding, self.settings, now)

    def forgive(self, gap: float, now: float) -> None:
        """Everybody was stopped for that long: deadlines move, silence begins now."""
        for worker in self.workers.values():
            worker.deadline += gap
            worker.region.beat = now

    def evict(self, worker_id: str) -> None:
        """The store has given this worker's tasks to others: its identity is spent."""
        for worker in self.workers.values():
            if worker.worker_id == worker_id and worker.serving:
                log.lease_lost(worker_id=worker_id)
                worker.drain("its lease was lost")

    def boot_failed(self) -> None:
        """A worker died before it was ready: the next one waits longer."""
        delay = self.backoff.failed(clock.monotonic())
        log.respawn_delayed(deaths=self.backoff.deaths, delay=delay)

    def bury(self, worker: WorkerChild, death: Death) -> None:
        """It has been reaped."""
        who = {"role": worker.role, "pid": worker.pid}
        del self.workers[worker.pid]
        self.nursery.bury(worker.channel)
        worker.region.state = RegionState.DEAD
        if worker.hung:
            for thread in worker.region.crash.read().strip().split("\n\n"):
                log.stacks_dumped(**who, trace=thread)
        # A TERM that was asked for ends a worker that still boots.
        if worker.end and death.signal in (0, signal.SIGTERM) and not death.exit_code:
            log.worker_ended(**who, reason=worker.end)
        else:
            log.worker_died(**who, how=death.how, running=len(worker.region.running()))
