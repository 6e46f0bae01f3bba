"""How a supervisor stops: workers drain or die, the keeper takes back what they left, then the keeper ends."""

import signal
from dataclasses import dataclass, field

from taskkitx import clock, log
from taskkitx.settings import Settings
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.reload import Reloader
from taskkitx.supervisor.signals import Degree, StopRequests
from taskkitx.supervisor.systemd import Notifier

KILLED_TASKS = 124
FAST = 5.0
"""Seconds left at most after a second request."""
LAST_WORD = 2.0
"""Seconds a keeper may take, once the workers are gone, to give their tasks back; and once more to end."""
_NEVER = float("inf")


@dataclass
class Stop:
    """Whether the supervisor stops, how urgently, and how far it has come."""

    crew: Crew
    keeping: Keeping
    reloader: Reloader
    settings: Settings
    notifier: Notifier
    requests: StopRequests = field(default_factory=StopRequests)
    killed_tasks: bool = False
    """Tasks had to be killed; their claims are given back."""
    refusal: int = 0
    """The exit code of a start that cannot work."""
    grace_at: float = _NEVER
    """When waiting for the keeper ends."""
    _drain_until: float = _NEVER

    @property
    def degree(self) -> Degree:
        """How urgently."""
        return self.requests.degree

    def receive(self, number: signal.Signals) -> None:
        """A stop signal has come."""
        if self.requests.receive(number, clock.monotonic()):
            log.stop_requested(signal=number.name, meaning=self.degree.meaning)
            self._enter()

    def refuse(self, reason: str, code: int) -> None:
        """This will not work before somebody changes something: say why, once, and end."""
        if not self.refusal:
            self.refusal = code
            log.boot_refused(reason=reason)
            self.requests.degree = max(self.degree, Degree.FAST)
            self._enter()

    def _enter(self) -> None:
        """Go on that much more urgently than before."""
        now = clock.monotonic()
        self.notifier.stopping()
        if self.reloader.watcher is not None:
            self.reloader.watcher.kill()
        if self.degree is Degree.DRAIN:
            self._drain_until = now + (self.settings.drain_timeout or _NEVER)
        elif self.degree is Degree.FAST:
            self._drain_until = min(self._drain_until, now + FAST)
        for worker in list(self.crew.workers.values()):
            if self.degree is Degree.NOW:
                worker.kill()
            else:
                worker.drain("the supervisor stops", self._drain_until)

    def tend(self, now: float) -> int | None:
        """Take the next step; the exit code when there is none left."""
        if self.crew.workers:
            if now < self._drain_until:
                self.notifier.extend(now)
            return None
        if not self.keeping.stopping:
            self._settle(now)
        elif now >= self.grace_at and self.keeping.keeper is not None:
            self.keeping.keeper.kill()
        if self.keeping.stopping and self.keeping.keeper is None and self.reloader.watcher is None:
            return self.refusal or (KILLED_TASKS if self.killed_tasks else 0)
        return None

    def _settle(self, now: float) -> None:
        """Workers are gone: give the keeper a moment for what they left, then send it home."""
        if self.grace_at == _NEVER:
            self.grace_at = now + LAST_WORD
        if not self.keeping.unsettled or now >= self.grace_at:
            self.grace_at = now + LAST_WORD
            self.keeping.stop()
