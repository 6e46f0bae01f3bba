"""The keeper: renews the leases of all workers, takes a dead worker's tasks back, cares for the store.

It runs no code of the application, so a handler that holds its process's interpreter for a minute never looks like
death. It outlives its supervisor until the workers are gone.
"""

import os
import selectors
import signal
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from taskkitx import clock, log, process
from taskkitx.backend import Subscription
from taskkitx.record import TaskFilter
from taskkitx.settings import Settings
from taskkitx.supervisor import fork, processes, signals
from taskkitx.supervisor.burial import Burial, Dead
from taskkitx.supervisor.channel import Channel, Note
from taskkitx.supervisor.hints import Ringer
from taskkitx.supervisor.leases import Info, Leases
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.slots import RegionState, SlotTable
from taskkitx.supervisor.target import Target
from taskkitx.supervisor.verdict import Death
from taskkitx.task import TaskState
from taskkitx.wakeup import Bell
from taskkitx.worker.control import ControlListener
from taskkitx.worker.duties import alarm_service, restore_service, retention_service
from taskkitx.worker.services import Service, Services

OUTLIVE = 15.0
"""Seconds a keeper waits for the workers of a supervisor that is gone; what is left then is killed."""
LAST_RESTORE = 2.0
SOLO_LOOK = 60.0
"""Seconds between two looks for suspects that other hosts left."""
_TICK = 1.0
_ORPHAN_TICK = 0.1
_OOM_POINTS = 100


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
    # What stops the tree stops its workers; the keeper is needed until the last of them has ended.
    ignored = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    users = (signal.SIGUSR1, signal.SIGUSR2)
    signals.become_child(dict.fromkeys(ignored + users, signal.SIG_IGN))
    fork.prefer_for_oom(_OOM_POINTS)
    processes.set_title("keeper", post.plan.instance)
    Keeper(post).run()
    return 0


class Keeper:
    """The loop of the keeper process."""

    def __init__(self, post: KeeperPost) -> None:
        """Connects to nothing yet."""
        self._post = post
        self._table = post.table
        self._channel = post.channel
        self._bell = Bell()
        self._backend, bridge = post.target.store(post.url)
        self._ringer = Ringer(post.table.regions, self._bell)
        self._control = ControlListener(
            bridge, on_shutdown=self._on_shutdown, on_resume=self._ringer.ring_all
        )
        self._leases = Leases(
            self._backend, post.table, post.settings, self._common_info, self._on_evicted
        )
        self._burial = Burial(self._backend, self._on_settled)
        self._services = Services(self._make_services())
        self._hints: Subscription | None = None
        self._recycled: Counter[str] = Counter()
        self._solo_waiting = False
        self._shutdowns: list[Collection[str] | None] = []
        self._stopping = False
        self._orphaned_at: float | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)

    def _make_services(self) -> dict[str, Service]:
        services: dict[str, Service] = {
            "restore": self._burial.restore,
            "lease": self._leases.renew,
            "hints": self._listen,
            "solo": self._look_for_suspects,
        }
        if self._post.plan.helper_services:
            services["sweep"] = restore_service(
                self._backend, self._post.settings, self._burial.is_buried, self._on_restored
            )
            services["retention"] = retention_service(self._backend)
            services["alarms"] = alarm_service(self._backend)
        return {name: self._beating(service) for name, service in services.items()}

    def _beating(self, service: Service) -> Service:
        """The service, preceded by a sign of life: one slow answer of the store must not look like a hang."""

        def call() -> float:
            self._table.keeper_beat = clock.monotonic()
            return service()

        return call

    def run(self) -> None:
        """Until there is nothing left to keep."""
        self._control.start()
        self._services.run_due()  # what fails here, by a bug, fails before the keeper counts as ready
        self._channel.send(kind="ready")
        log.keeper_ready(pid=os.getpid())
        while not self._finished():
            self._turn()
        self._control.close()
        self._backend.close()

    def _turn(self) -> None:
        self._table.keeper_beat = clock.monotonic()
        tick = _TICK if self._orphaned_at is None else _ORPHAN_TICK
        wait = min(tick, self._services.run_due(), self._ringer.spread())
        if self._selector.select(wait):
            self._bell.clear()
        for note in self._channel.receive():
            self._take(note)
        while self._shutdowns:
            groups = self._shutdowns.pop(0)
            self._channel.send(kind="shutdown", groups=None if groups is None else list(groups))
        self._channel.flush()
        if self._channel.closed:
            self._outlive()

    def _finished(self) -> bool:
        if self._orphaned_at is None:
            return self._stopping
        waited = clock.monotonic() - self._orphaned_at
        return waited > OUTLIVE + LAST_RESTORE or not (self._burial or self._table.alive())

    # What the supervisor says

    def _take(self, note: Note) -> None:
        match note:
            case {"kind": "died", "region": int(index), "death": death}:
                self._burial.add(self._table.regions[index], Death(**death))
                self._services.hurry("restore")
            case {"kind": "recycled", "names": names}:
                self._recycled = Counter(names)
            case {"kind": "stop"}:
                self._stopping = True
            case _:
                pass

    def _outlive(self) -> None:
        """The supervisor is gone: bury its workers as they end, and in the end those that do not."""
        if self._orphaned_at is None:
            self._orphaned_at = clock.monotonic()
            self._selector.unregister(self._channel)
            log.supervisor_lost(workers=len(self._table.alive()))
        too_long = clock.monotonic() - self._orphaned_at > OUTLIVE
        for region in self._table.alive():
            if not process.is_alive(region.pid, region.pid_started):
                self._burial.add(region, Death(deliberate=True))
                self._services.hurry("restore")
            elif too_long:
                os.kill(region.pid, signal.SIGKILL)

    # What it tells the supervisor

    def _on_settled(self, dead: Dead, restored: int) -> None:
        if self._orphaned_at is not None:
            dead.region.state = RegionState.FREE
        # Even when nothing was left: a call before this one may have restored all of it, its reply lost.
        self._on_restored()
        self._channel.send(kind="restored", region=dead.region.index, worker_id=dead.worker_id)

    def _on_restored(self) -> None:
        """There may be tasks to claim, and suspects among them."""
        self._ringer.hint(None)
        self._services.hurry("solo")

    def _on_evicted(self, worker_id: str) -> None:
        self._channel.send(kind="evicted", worker_id=worker_id)

    def _on_shutdown(self, groups: Collection[str] | None) -> None:
        """Called in the listener's thread; the channel belongs to the loop."""
        self._shutdowns.append(groups)
        self._bell.ring()

    # Services of its own

    def _listen(self) -> float:
        self._hints = self._backend.listen(self._ringer.hint)
        return float("inf")  # the backend itself reconnects

    def _look_for_suspects(self) -> float:
        """Tell the supervisor whether suspects wait for a solo lane, ours or those that other hosts left."""
        suspects = self._backend.list_tasks(TaskFilter(states=frozenset({TaskState.SOLO})), limit=1)
        if self._solo_waiting != bool(suspects):
            self._solo_waiting = bool(suspects)
            self._channel.send(kind="solo", waiting=self._solo_waiting)
        return self._post.settings.poll_interval if self._solo_waiting else SOLO_LOOK

    def _common_info(self) -> Info:
        info = {"groups": dict(self._post.plan.groups), "supervisor": self._post.supervisor}
        return info | ({"recycled": dict(self._recycled)} if self._recycled else {})
