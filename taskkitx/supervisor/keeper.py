"""The keeper: renews the leases of all workers, takes a dead worker's tasks back, cares for the store.

It runs no code of the application, so a handler that holds its process's interpreter for a minute never looks like
death. It outlives its supervisor until the workers are gone.
"""

import os
import random
import selectors
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskkitx import clock, log
from taskkitx.backend import Backend, Lost, TaskFilter
from taskkitx.errors import StoreUnavailable
from taskkitx.event import ControlEvent
from taskkitx.settings import Settings
from taskkitx.supervisor import fork, processes, signals
from taskkitx.supervisor.channel import Channel, Note
from taskkitx.supervisor.events import EventInbox
from taskkitx.supervisor.hints import Ringer
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.slots import Region, RegionState, SlotTable
from taskkitx.supervisor.target import Target
from taskkitx.supervisor.verdict import Death, Verdict, judge
from taskkitx.task import TaskState
from taskkitx.wakeup import Bell

PAGE = 1000
OUTLIVE = 15.0
"""Seconds a keeper waits for the workers of a supervisor that is gone."""
_TICK = 1.0
_SOLO_LOOK = 60.0
_HOST_GONE = Lost("its host or its whole process tree is gone")


@dataclass(frozen=True, slots=True)
class KeeperPost:
    """What the keeper is given at its fork."""

    target: Target
    url: str
    plan: Plan
    settings: Settings
    table: SlotTable
    channel: Channel
    supervisor: int


def run_keeper(post: KeeperPost) -> int:
    """Keep until the supervisor says stop, or is gone together with its workers; returns the exit code."""
    ignored = (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    )
    signals.become_child(dict.fromkeys(ignored, signal.SIG_IGN))
    fork.prefer_for_oom(100)
    processes.set_title("keeper", post.plan.instance)
    keeper = Keeper(post)
    keeper.run()
    return 0


@dataclass(slots=True)
class _Duty:
    """Something done again and again; trouble with the store postpones it."""

    name: str
    call: Callable[[], float]
    due: float = 0.0
    failures: int = 0

    def run(self, now: float) -> None:
        try:
            wait = self.call()
            if self.failures:
                log.store_back(service=self.name)
            self.failures = 0
        except StoreUnavailable as error:
            log.store_trouble(service=self.name, error=log.one_line(error))
            wait = self._back_off()
        except Exception as error:  # noqa: BLE001  # one duty's bug must not end the others
            log.service_failed(service=self.name, error=log.one_line(error))
            wait = self._back_off()
        self.due = clock.monotonic() + wait

    def _back_off(self) -> float:
        self.failures += 1
        return min(5.0, 0.1 * 2.0**self.failures) * random.uniform(0.8, 1.2)


@dataclass(slots=True)
class _Dead:
    """A worker whose tasks are being taken back."""

    region: Region
    worker_id: str
    death: Death
    verdict: Verdict
    restored: int = 0


@dataclass
class Keeper:
    """The loop of the keeper process."""

    post: KeeperPost
    backend: Backend = field(init=False)
    _dead: dict[int, _Dead] = field(default_factory=dict[int, _Dead])
    _bell: Bell = field(default_factory=Bell)
    _stopping: bool = False
    _orphaned_at: float | None = None
    _solo: bool = False
    _rates: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])

    def __post_init__(self) -> None:
        self.backend, bridge = self.post.target.store(self.post.url)
        self._events = EventInbox(bridge, self._bell)
        self._ringer = Ringer(self.post.table.regions, self._bell)
        self._restoring = _Duty("restore", self._restore)
        self._looking = _Duty("solo", self._look_for_solo)
        self._duties = [
            self._restoring,
            _Duty("lease", self._renew),
            _Duty("hints", self._listen),
            self._looking,
        ]
        if self.post.plan.helper_services:
            self._duties += [
                _Duty("sweep", self._sweep),
                _Duty("retention", self._purge),
            ]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.post.channel, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)

    def run(self) -> None:
        """Until there is nothing left to keep."""
        self.post.channel.send(kind="ready")
        log.keeper_ready(pid=os.getpid())
        while not self._finished():
            self._beat()
            wait = min(self._run_duties(), self._ringer.spread())
            if self._selector.select(wait):
                self._bell.clear()
            for note in self.post.channel.receive():
                self._take(note)
            for event in self._events.read():
                self._react(event)
            self.post.channel.flush()
            if self.post.channel.closed:
                self._outlive()
        self._events.close()
        self.backend.close()

    def _beat(self) -> None:
        self.post.table.keeper_beat = clock.monotonic()

    def _run_duties(self) -> float:
        """Run what is due; seconds until the next."""
        for duty in self._duties:
            if duty.due <= clock.monotonic():
                duty.run(clock.monotonic())
                self._beat()
        tick = 0.1 if self._orphaned_at is not None else _TICK
        return max(0.0, min([tick, *(duty.due - clock.monotonic() for duty in self._duties)]))

    def _finished(self) -> bool:
        if self._orphaned_at is None:
            return self._stopping
        too_long = clock.monotonic() - self._orphaned_at > OUTLIVE + 2.0
        return too_long or not (self._dead or self.post.table.alive())

    # What the supervisor says

    def _take(self, note: Note) -> None:
        if note["kind"] == "died":
            self._bury(self.post.table.regions[note["region"]], Death(**note["death"]))
        elif note["kind"] == "stop":
            self._stopping = True

    def _bury(self, region: Region, death: Death) -> None:
        region.state = RegionState.DEAD
        verdict = judge(death, region.running(), region.crash.read())
        self._dead[region.index] = _Dead(region, region.worker_id, death, verdict)
        self._restoring.due = 0.0

    def _react(self, event: ControlEvent) -> None:
        """What an operator told every process of this store."""
        log.control_event(name=event["name"], groups=event["groups"])
        if event["name"] == "resume":
            self._ringer.ring_all()
        elif event["name"] == "shutdown":
            self.post.channel.send(kind="shutdown", groups=event["groups"])

    # Duties

    def _restore(self) -> float:
        """Take the dead workers' tasks back, in pages until a page is empty."""
        for dead in list(self._dead.values()):
            while restored := self.backend.restore(
                dead.worker_id,
                charged=dead.verdict.charged,
                suspects=dead.verdict.suspects,
                limit=PAGE,
            ):
                dead.restored += restored
                self._beat()
            self._report(dead)
        return 3600.0  # a death makes it due at once

    def _report(self, dead: _Dead) -> None:
        del self._dead[dead.region.index]
        self._rates.pop(dead.worker_id, None)
        names = {running.task_id: running.name for running in dead.region.running()}
        for task_id, lost in dead.verdict.charged.items():
            log.task_charged(task_id=task_id, task_name=names.get(task_id), cause=lost.cause)
        if dead.restored:
            log.tasks_restored(
                worker_id=dead.worker_id,
                how=dead.death.how,
                restored=dead.restored,
                charged=len(dead.verdict.charged),
                suspects=len(dead.verdict.suspects),
            )
            self._ringer.hint(None)
        if dead.verdict.suspects or dead.death.solo:
            self._looking.due = 0.0
        if self._orphaned_at is not None:
            dead.region.state = RegionState.FREE
        self.post.channel.send(kind="restored", region=dead.region.index, worker_id=dead.worker_id)

    def _renew(self) -> float:
        settings = self.post.settings
        regions = {
            region.worker_id: region for region in self.post.table.alive() if region.registered
        }
        # A lease counts from before the request: the reply may have been slow to come.
        asked = clock.boottime()
        known = self.backend.renew(
            {worker_id: self._info(region) for worker_id, region in regions.items()},
            settings.lease_ttl,
        )
        for worker_id, region in regions.items():
            if worker_id in known:
                region.renewed = asked
            else:
                self.post.channel.send(kind="evicted", region=region.index, worker_id=worker_id)
        return settings.beat * random.uniform(0.9, 1.0)

    def _listen(self) -> float:
        """Listen for hints; the backend itself reconnects."""
        self._subscription = self.backend.listen(self._ringer.hint)
        return float("inf")

    def _look_for_solo(self) -> float:
        """Tell the supervisor whether suspects wait for the solo lane, its own or those of another host."""
        waiting = self.backend.list_tasks(TaskFilter(states=frozenset({TaskState.SOLO})), limit=1)
        if self._solo != bool(waiting):
            self._solo = bool(waiting)
            self.post.channel.send(kind="solo", waiting=self._solo)
        return self.post.settings.poll_interval if self._solo else _SOLO_LOOK

    def _sweep(self) -> float:
        """Take back what workers of other supervisors left when they vanished."""
        ours = {
            region.worker_id
            for region in self.post.table.regions
            if region.state != RegionState.FREE
        }
        for worker_id in self.backend.expired_workers():
            if worker_id in ours:
                continue  # alive: its lease is renewed; dead: its verdict is known
            total = 0
            while restored := self.backend.restore(worker_id, lost=_HOST_GONE, limit=PAGE):
                total += restored
                self._beat()
            if total:
                log.worker_expired(worker_id=worker_id, restored=total)
                self._looking.due = 0.0
        return self.post.settings.beat * random.uniform(0.8, 1.2)

    def _purge(self) -> float:
        """Delete what has been kept long enough, little by little."""
        purged = self.backend.purge(PAGE)
        return 0.1 if purged >= PAGE else 60.0 * random.uniform(0.8, 1.2)

    # What people see

    def _info(self, region: Region) -> Mapping[str, Any]:
        now = clock.monotonic()
        return {
            "groups": dict(self.post.plan.groups),
            "supervisor": self.post.supervisor,
            "solo": bool(region.solo),
            "draining": bool(region.draining),
            "idle": region.idle,
            "finished": region.finished,
            "rate": self._rate(region, now),
            "rss": processes.resident_memory(region.pid),
            "running": [
                {
                    "thread": running.thread,
                    "id": running.task_id,
                    "name": running.name,
                    "attempt": running.attempt,
                    "seconds": round(now - running.started, 3),
                }
                for running in region.running()[:100]
            ],
        }

    def _rate(self, region: Region, now: float) -> float:
        """Tasks per second since the last beat."""
        finished = region.finished
        then, before = self._rates.get(region.worker_id, (now, finished))
        self._rates[region.worker_id] = (now, finished)
        return round((finished - before) / (now - then), 1) if now > then else 0.0

    # Without a supervisor

    def _outlive(self) -> None:
        """The supervisor is gone: bury its workers as they end, and those that do not end."""
        if self._orphaned_at is None:
            self._orphaned_at = clock.monotonic()
            self._selector.unregister(self.post.channel)
            log.supervisor_lost(workers=len(self.post.table.alive()))
        too_long = clock.monotonic() - self._orphaned_at > OUTLIVE
        for region in self.post.table.alive():
            if not processes.is_alive(region.pid, region.pid_started):
                self._bury(region, Death(deliberate=True, exit_code=0))
            elif too_long:
                os.kill(region.pid, signal.SIGKILL)
