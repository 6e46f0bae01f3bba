"""What people ask of a running supervisor: to stop, to roll, to run more or fewer processes, to say how it is."""

import signal
from dataclasses import dataclass, replace

from taskkitx import log
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.plan import describe_groups
from taskkitx.supervisor.report import Report
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.stop import Stop
from taskkitx.supervisor.systemd import Notifier


@dataclass
class Orders:
    """What is wanted now, by signal or by control event."""

    crew: Crew
    replacements: Replacements
    stop: Stop
    report: Report
    notifier: Notifier
    processes: int
    """Worker processes wanted."""
    most_processes: int

    def obey(self, number: signal.Signals) -> None:
        """This signal has come."""
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self.stop.receive(number)
        elif number == signal.SIGUSR2:
            log.state_dump(state=self.report.describe(self.processes))
        elif self.stop.degree:
            return
        elif number == signal.SIGHUP:
            self.notifier.reloading()
            self.replacements.roll(self.crew.serving(), number.name)
        elif number in (signal.SIGTTIN, signal.SIGTTOU):
            self._resize(number)

    def _resize(self, number: signal.Signals) -> None:
        wanted = self.processes + (1 if number == signal.SIGTTIN else -1)
        if not 1 <= wanted <= self.most_processes:
            reason = f"{self.processes} processes are the limit"
            log.signal_refused(signal=number.name, reason=reason)
            return
        self.processes = wanted
        log.processes_changed(signal=number.name, processes=wanted)

    def roll(self, why: str) -> None:
        """Replace all workers, one after the other."""
        if not self.stop.degree:
            self.replacements.roll(self.crew.serving(), why)

    def shut_down(self, groups: list[str] | None) -> None:
        """An operator wants these groups, or all of them (None), served no more by anybody."""
        left = {g: n for g, n in self.crew.plan.groups.items() if groups and g not in groups}
        if not left:
            self.stop.receive(signal.SIGTERM)
        elif len(left) < len(self.crew.plan.groups):
            self.crew.plan = replace(self.crew.plan, groups=left, groups_by_app=False)
            self.replacements.roll(self.crew.serving(), f"left are {describe_groups(left)}")
