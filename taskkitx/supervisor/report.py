"""What a supervisor tells the world: when it is ready, how it is, and whether there is progress."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from taskkitx import clock, log
from taskkitx.settings import Settings
from taskkitx.supervisor.children import ChildState
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.stop import Stop
from taskkitx.supervisor.systemd import Notifier

MOST_SHOWN = 400
"""Running tasks that an answer to a probe names in all: it must fit into one datagram."""


@dataclass
class Report:
    """The state of the tree in the words of those who ask."""

    instance: str
    crew: Crew
    keeping: Keeping
    stop: Stop
    settings: Settings
    notifier: Notifier
    announced: bool = False
    """It has been ready once."""

    def tend(self, now: float, processes: int) -> None:
        """Tell what has changed."""
        ready = len(self.crew.ready())
        if not self.announced and ready and self.keeping.ready and not self.stop.degree:
            self.announced = True
            log.supervisor_ready(workers=ready, processes=processes)
            self.notifier.ready()
        self.notifier.status(self._status(processes))
        if self._progressing(now):
            self.notifier.progress(now)

    def _progressing(self, now: float) -> bool:
        """Whether a restart of everything is not called for: the keeper goes on, and a worker does."""
        silence = min(15.0, self.settings.lease_ttl / 2)
        return self.keeping.silence(now) < silence and any(
            worker.waiting or now - worker.region.beat < silence for worker in self.crew.working()
        )

    def _status(self, processes: int) -> str:
        states = [worker.state for worker in self.crew]
        parts = [f"{states.count(state)} {state}" for state in ChildState if state in states]
        running = sum(len(worker.region.running()) for worker in self.crew)
        store = f"; {self.crew.trouble}" if self.crew.trouble else ""
        return f"{processes} wanted: {', '.join(parts) or 'no workers'}; {running} tasks running{store}"

    def describe(self, processes: int) -> Mapping[str, object]:
        """Everything, for people and probes."""
        now = clock.monotonic()
        keeper = self.keeping.keeper
        shown = max(1, MOST_SHOWN // max(1, len(self.crew.workers)))
        return {
            "instance": self.instance,
            "pid": os.getpid(),
            "healthy": self.announced and not self.stop.degree and self._progressing(now),
            "stopping": self.stop.degree.name.lower() if self.stop.degree else "",
            "processes": processes,
            "keeper": {
                "pid": keeper.pid if keeper else None,
                "ready": self.keeping.ready,
                "silent": round(self.keeping.silence(now), 1) if keeper else None,
                "unsettled": self.keeping.unsettled,
            },
            "workers": [
                {
                    "pid": worker.pid,
                    "role": worker.role,
                    "state": worker.state,
                    "finished": worker.region.finished,
                    "rss": worker.region.rss,
                    "running": [running.task_id for running in worker.region.running()[:shown]],
                }
                for worker in self.crew.workers.values()
            ],
        }
