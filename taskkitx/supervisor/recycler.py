"""Looks at every worker once a second, and has those replaced that have served long enough."""

from collections.abc import Callable
from dataclasses import dataclass

from taskkitx import log
from taskkitx.settings import Settings
from taskkitx.supervisor import processes
from taskkitx.supervisor.children import WorkerChild
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.recycle import Service, far_too_large, mebibytes, too_long
from taskkitx.supervisor.roll import Replacements

ShouldRestart = Callable[[WorkerChild], bool]
LOOK_EVERY = 1.0


@dataclass
class Recycler:
    """Recycling by tasks, age, memory, and by the caller's own wish."""

    settings: Settings
    crew: Crew
    replacements: Replacements
    keeping: Keeping
    should_restart: ShouldRestart | None = None
    _looked_at: float = float("-inf")

    def tend(self, now: float) -> None:
        """Look, when it is time."""
        if now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        for worker in self.crew.ready():
            self._look(worker, now)

    def _look(self, worker: WorkerChild, now: float) -> None:
        rss = processes.resident_memory(worker.pid)
        worker.region.rss = rss
        worker.growth.sample(rss, [running.name for running in worker.region.running()])
        served = Service(worker.region.finished, now - worker.started, rss, worker.jitter)
        if far_too_large(served, self.settings):
            self._blame(worker)
            worker.end = "max_rss"
            worker.kill()
            reason = f"it occupies {mebibytes(rss)}, far beyond max_rss"
            log.worker_killed(role=worker.role, pid=worker.pid, reason=reason)
        elif why := too_long(served, self.settings):
            if self.replacements.recycle(worker, why) and rss > self.settings.max_rss > 0:
                self._blame(worker)
        elif self.should_restart is not None and self.should_restart(worker):
            self.replacements.recycle(worker, "should_restart says so")

    def _blame(self, worker: WorkerChild) -> None:
        if worker.growth.culprit:
            self.keeping.count_recycle(worker.growth.culprit)
