"""Looks at every worker once a second, and has those replaced that have served long enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskkitx import log
from taskkitx.settings import Settings
from taskkitx.supervisor import processes
from taskkitx.supervisor.children import ChildState, WorkerChild
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.recycle import Service, far_too_large, mebibytes, too_long
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.slots import RunningTask

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
        for worker in self.crew:
            if worker.was_ready and worker.state is not ChildState.KILLED:
                self._look(worker, now)

    def _look(self, worker: WorkerChild, now: float) -> None:
        region = worker.region
        region.rss = rss = processes.resident_memory(worker.pid)
        running = region.running()
        worked = bool(region.finished or running)
        served = Service(region.finished, now - worker.started, rss, worker.jitter, worked)
        if far_too_large(served, self.settings):
            self._kill(worker, rss, running)
        elif worker.state is not ChildState.READY:
            return
        elif why := worker.full or too_long(served, self.settings):
            self.replacements.recycle(worker, why)
        elif self.should_restart is not None and self.should_restart(worker):
            self.replacements.recycle(worker, "should_restart says so")

    def has_grown(self, worker: WorkerChild, rss: int, name: str) -> None:
        """The worker itself finds that it occupies too much, and claims no more; tasks of this name made it grow."""
        worker.full = f"it occupies {mebibytes(rss)} (max_rss)"
        worker.region.rss = rss
        if worker.solo:
            worker.drain(worker.full)  # another lane is opened if it is wanted
        elif worker.state is ChildState.READY:
            self.replacements.recycle(worker, worker.full)
        if name:
            self.keeping.count_recycle(name)

    def _kill(self, worker: WorkerChild, rss: int, running: Sequence[RunningTask]) -> None:
        """Waiting for its tasks could cost the machine. Unlike at a stop they are suspects: what needs that much runs
        alone from now on, where no other task makes the limit matter."""
        if running and not worker.full:
            self.keeping.count_recycle(min(running, key=lambda task: task.started).name)
        reason = f"it occupies {mebibytes(rss)}, far beyond max_rss"
        worker.too_large = True
        worker.kill()
        log.worker_killed(role=worker.role, pid=worker.pid, reason=reason)
