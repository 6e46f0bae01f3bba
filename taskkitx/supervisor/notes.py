"""What children say of themselves, and what follows from it."""

from dataclasses import dataclass

from taskkitx import clock, log
from taskkitx.settings import Settings
from taskkitx.supervisor.channel import Note
from taskkitx.supervisor.child import CANNOT_START
from taskkitx.supervisor.children import Child, WorkerChild
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.orders import Orders
from taskkitx.supervisor.plan import describe_groups
from taskkitx.supervisor.recycler import Recycler
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.solo import SoloLane
from taskkitx.supervisor.stop import Stop

STORE_UNREACHABLE = 75


@dataclass
class Notes:
    """The meaning of each note, for whom it concerns."""

    settings: Settings
    crew: Crew
    keeping: Keeping
    solo_lane: SoloLane
    replacements: Replacements
    recycler: Recycler
    stop: Stop
    orders: Orders
    require_store: bool

    def take(self, child: Child, note: Note) -> None:
        """This child says so."""
        if isinstance(child, WorkerChild):
            self._of_worker(child, note)
        else:
            self._of_other(note)

    def _of_worker(self, worker: WorkerChild, note: Note) -> None:
        who = {"role": worker.role, "pid": worker.pid}
        match note:
            case {"kind": "store", "url": str(url)}:
                self.keeping.url = self.keeping.url or url
                self.crew.plan = self.keeping.plan = self.crew.plan.for_app(note["groups"])
            case {"kind": "waiting", "reason": str(reason)}:
                log.worker_waiting(**who, reason=reason)
                worker.waiting = reason
                worker.deadline = clock.monotonic() + self.settings.boot_timeout
                if self.require_store and not self.crew.healthy:
                    self.stop.refuse(reason, STORE_UNREACHABLE)
            case {"kind": "failed", "reason": str(reason)} if self.crew.healthy:
                log.worker_boot_failed(**who, reason=reason)
                self.replacements.failed(worker, reason)
            case {"kind": "failed", "reason": str(reason)}:
                self.stop.refuse(reason, CANNOT_START)
            case {"kind": "ready"}:
                self.crew.is_ready(worker)
                seconds = clock.monotonic() - worker.started
                groups = describe_groups(self.crew.plan.groups)
                log.worker_ready(**who, seconds=seconds, groups=groups)
            case {"kind": "grown", "rss": int(rss), "name": str(name)}:
                self.recycler.has_grown(worker, rss, name)
            case _:  # "condemned" only wakes the loop: the slots say which task
                pass

    def _of_other(self, note: Note) -> None:
        match note:
            case {"kind": "ready"}:
                self.keeping.is_ready()
            case {"kind": "restored", "region": int(region), "worker_id": str(worker_id)}:
                self.keeping.settled(region, worker_id)
            case {"kind": "solo", "waiting": bool(waiting)}:
                self.solo_lane.waiting = waiting
            case {"kind": "evicted", "worker_id": str(worker_id)}:
                self.crew.evict(worker_id)
            case {"kind": "shutdown", "groups": groups}:
                self.orders.shut_down(groups)
            case {"kind": "changed", "paths": str(paths)}:
                self.orders.roll(f"changed: {paths}")
            case {"kind": "failed", "reason": str(reason)}:
                self.stop.refuse(reason, CANNOT_START)
            case _:
                pass
