"""The supervisor's side of the keeper: forks it, tells it of deaths until it has taken the tasks back, replaces it."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from taskkitx import clock, log
from taskkitx.settings import Settings
from taskkitx.supervisor.backoff import Backoff
from taskkitx.supervisor.children import Child, ChildState, Nursery
from taskkitx.supervisor.keeper import KeeperPost, run_keeper
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.slots import Region, RegionState, SlotTable
from taskkitx.supervisor.target import Target
from taskkitx.supervisor.verdict import Death


@dataclass
class Keeping:
    """At most one keeper, and the deaths that no keeper has dealt with yet."""

    target: Target
    plan: Plan
    settings: Settings
    table: SlotTable
    nursery: Nursery
    on_fork: Callable[[Child], None]
    url: str | None = None
    """Where the store is; no keeper before that is known."""
    keeper: Child | None = None
    backoff: Backoff = field(default_factory=Backoff)
    stopping: bool = False
    recycled: Counter[str] = field(default_factory=Counter[str])
    """Recycles for memory, by the name of the task that made it grow."""
    _deaths: dict[int, Death] = field(default_factory=dict[int, Death])

    @property
    def ready(self) -> bool:
        """Whether there is a keeper at work."""
        return self.keeper is not None and self.keeper.state is ChildState.READY

    @property
    def unsettled(self) -> int:
        """How many dead workers' tasks are not taken back yet."""
        return len(self._deaths)

    @property
    def patience(self) -> float:
        """Seconds of silence after which a keeper is replaced: its successor must come before the leases end."""
        return self.settings.lease_ttl * 2 / 3

    def silence(self, now: float) -> float:
        """Seconds since the keeper last said that it goes on."""
        return now - self.table.keeper_beat

    def tend(self, now: float) -> None:
        """Fork a keeper when there should be one; replace one that is silent."""
        if self.keeper is None:
            if self.url is not None and (self._deaths or not self.stopping):
                self._spawn(self.url, now)
        elif self.keeper.state is not ChildState.KILLED and self.silence(now) > self.patience:
            log.keeper_silent(pid=self.keeper.pid, seconds=self.silence(now))
            self.keeper.kill()

    def _spawn(self, url: str, now: float) -> None:
        if self.backoff.wait(now) > 0:
            return
        supervisor = os.getpid()
        self.table.keeper_beat = now
        try:
            pid, channel = self.nursery.fork(
                lambda channel: run_keeper(
                    KeeperPost(
                        self.target, url, self.plan, self.settings, self.table, channel, supervisor
                    )
                )
            )
        except OSError as error:
            log.fork_failed(
                role="keeper", error=log.one_line(error), delay=self.backoff.failed(now)
            )
            return
        self.backoff.forked(now)
        self.keeper = Child(pid, "keeper", channel, started=now)
        channel.send(kind="recycled", names=self.recycled)
        for index, death in self._deaths.items():  # its predecessor may not have dealt with them
            channel.send(kind="died", region=index, death=asdict(death))
        self.on_fork(self.keeper)

    def died(self, region: Region, death: Death) -> None:
        """A worker has been reaped: its tasks are to be taken back."""
        if not region.registered:  # the store has never heard of it
            region.state = RegionState.FREE
            return
        self._deaths[region.index] = death
        if self.keeper is not None:
            self.keeper.channel.send(kind="died", region=region.index, death=asdict(death))

    def settled(self, index: int, worker_id: str) -> None:
        """The keeper has taken a dead worker's tasks back: its region can be used again."""
        region = self.table.regions[index]
        if index in self._deaths and region.worker_id == worker_id:
            del self._deaths[index]
            region.state = RegionState.FREE

    def count_recycle(self, name: str) -> None:
        """A worker had to go because tasks of this name made it grow: the keeper shows it to people."""
        self.recycled[name] += 1
        if self.keeper is not None:
            self.keeper.channel.send(kind="recycled", names=self.recycled)

    def forgive(self, now: float) -> None:
        """Everybody was stopped: silence begins now."""
        self.table.keeper_beat = now

    def is_ready(self) -> None:
        """The keeper has said so."""
        if self.keeper is not None and self.keeper.state is ChildState.BOOTING:
            self.keeper.state = ChildState.READY
            self.backoff.succeeded()

    def stop(self) -> None:
        """Ask the keeper to end."""
        self.stopping = True
        if self.keeper is not None:
            self.keeper.channel.send(kind="stop")

    def bury(self, keeper: Child, status: int) -> None:
        """It has been reaped."""
        if not self.stopping:
            code = os.waitstatus_to_exitcode(status)
            how = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
            log.keeper_died(pid=keeper.pid, how=how)
        if keeper.state is ChildState.BOOTING:
            self.backoff.failed(clock.monotonic())
        self.nursery.bury(keeper.channel)
        self.keeper = None
