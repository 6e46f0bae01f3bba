"""Keeping this tree's workers alive in the store's eyes, and telling people there what they do."""

from collections.abc import Callable, Mapping
from typing import Any

from taskkitx import clock
from taskkitx.backend import Backend
from taskkitx.settings import Settings
from taskkitx.supervisor import processes
from taskkitx.supervisor.slots import Region, SlotTable
from taskkitx.worker.duties import lease_service

MOST_SHOWN = 100
"""Running tasks per worker that people are shown."""

Info = Mapping[str, Any]


class Leases:
    """Renews the leases of all live workers in one request."""

    def __init__(
        self,
        backend: Backend,
        table: SlotTable,
        settings: Settings,
        common: Callable[[], Info],
        on_evicted: Callable[[str], None],
    ) -> None:
        """`common`: what every worker's info holds. `on_evicted`: told of live workers the store does not know."""
        self._table = table
        self._common = common
        self._on_evicted = on_evicted
        self._asked: dict[str, Region] = {}
        self._renewed: set[str] = set()
        self._counts: dict[str, tuple[float, int]] = {}
        self._renew = lease_service(backend, self._workers, self._on_renewed, settings)

    def renew(self) -> float:
        """A service."""
        self._renewed = set()
        wait = self._renew()
        for worker_id in self._asked.keys() - self._renewed:
            self._on_evicted(worker_id)
        return wait

    def _workers(self) -> dict[str, Info]:
        self._asked = {r.worker_id: r for r in self._table.alive() if r.registered}
        infos = {worker_id: self._info(region) for worker_id, region in self._asked.items()}
        self._counts = {i: count for i, count in self._counts.items() if i in self._asked}
        return infos

    def _on_renewed(self, worker_id: str, at: float) -> None:
        self._renewed.add(worker_id)
        self._asked[worker_id].renewed = at

    def _info(self, region: Region) -> Info:
        now = clock.monotonic()
        return {
            **self._common(),
            "solo": bool(region.solo),
            "draining": bool(region.draining),
            "threads": region.threads,
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
                for running in region.running()[:MOST_SHOWN]
            ],
        }

    def _rate(self, region: Region, now: float) -> float:
        """Tasks per second since the last renewal."""
        finished = region.finished
        then, before = self._counts.get(region.worker_id, (now, finished))
        self._counts[region.worker_id] = (now, finished)
        return round((finished - before) / (now - then), 1) if now > then else 0.0
