"""The supervisor: one thread, one loop, no store, no code of the application. It derives what to do from the state of
its children after every wake-up, so a signal that came twice or not at all changes nothing."""

import os
import selectors
import signal
from dataclasses import dataclass
from functools import partial

from taskkitx import clock, log
from taskkitx.backends.connect import connect
from taskkitx.errors import ConfigurationError
from taskkitx.settings import Settings, default_url
from taskkitx.supervisor import fork, processes, signals
from taskkitx.supervisor.child import CANNOT_START
from taskkitx.supervisor.children import Child, Nursery, WorkerChild
from taskkitx.supervisor.control import ControlSocket
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.instance import Instance
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.notes import Notes
from taskkitx.supervisor.orders import Orders
from taskkitx.supervisor.plan import Plan, describe_groups
from taskkitx.supervisor.recycler import Recycler, ShouldRestart
from taskkitx.supervisor.reload import Reloader
from taskkitx.supervisor.report import Report
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.signals import Inbox
from taskkitx.supervisor.slots import SlotTable
from taskkitx.supervisor.solo import SoloLane
from taskkitx.supervisor.stop import Stop
from taskkitx.supervisor.systemd import Notifier
from taskkitx.supervisor.target import Target

_TICK = 1.0
_GAP = 5.0
"""Seconds without a turn of the loop that mean, at the latest, that the whole tree was stopped."""


def supervise(
    target: Target,
    plan: Plan,
    settings: Settings,
    *,
    should_restart: ShouldRestart | None = None,
) -> int:
    """Run worker processes until told to stop; returns the exit code for this process.

    0: all ended cleanly; 1: a fault of the supervisor; 75: no store and `require_store`; 78: nothing will work before
    somebody changes something, the log says what; 124: tasks had to be killed, their claims were given back.
    Call it in the main thread. Raises ConfigurationError when another supervisor holds the instance name, or with
    `strict_fork` beside other threads.
    """
    fork.check_threads(strict=plan.strict_fork)
    # A stop that comes while files are made waits for the loop, which removes them.
    with signals.blocked():
        instance = Instance(plan.instance)
        try:
            supervisor = Supervisor(target, plan, settings, instance, should_restart)
        except BaseException:
            instance.release()
            raise
    try:
        return supervisor.run()
    finally:
        instance.release()


def _import_store_modules(url: str) -> None:
    """What every child will need, imported once and shared: a backend is made, and never opened."""
    try:
        connect(url)
    except ConfigurationError:
        return  # if it is the application's, its worker says so


@dataclass
class Supervisor:
    """The loop, and what is decided in it."""

    target: Target
    plan: Plan
    settings: Settings
    instance: Instance
    should_restart: ShouldRestart | None = None

    _code: int | None = None
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        """Make everything that children share before the first of them."""
        self.notifier = Notifier.from_environment()
        self.table = SlotTable(self.plan.regions)
        self.selector = selectors.DefaultSelector()
        self.control = ControlSocket(self.instance.name)
        self.inbox = Inbox()
        self.nursery = Nursery([self.selector, self.inbox.pipe, self.control, self.instance])
        shared = (self.target, self.plan, self.settings, self.table, self.nursery, self._adopt)
        self.crew = Crew(*shared)
        self.keeping = Keeping(*shared)
        self._lay_down_rules()
        self.selector.register(self.inbox, selectors.EVENT_READ, self._read_signals)
        self.selector.register(self.control, selectors.EVENT_READ, self._answer)

    def _lay_down_rules(self) -> None:
        """What is decided about children, each kind of decision by its own part."""
        self.solo_lane = SoloLane(self.crew)
        self.replacements = Replacements(
            self.crew.spawn, self.settings.drain_timeout or 30.0, self.notifier.reloaded
        )
        self.recycler = Recycler(
            self.settings, self.crew, self.replacements, self.keeping, self.should_restart
        )
        self.reloader = Reloader(self.plan, self.nursery, self._adopt)
        self.stop = Stop(self.crew, self.keeping, self.reloader, self.settings, self.notifier)
        self.report = Report(
            self.instance.name, self.crew, self.keeping, self.stop, self.settings, self.notifier
        )
        self.orders = Orders(
            self.crew,
            self.replacements,
            self.stop,
            self.report,
            self.notifier,
            self.plan.processes,
            self.plan.max_processes,
        )
        self.notes = Notes(
            self.settings,
            self.crew,
            self.keeping,
            self.solo_lane,
            self.replacements,
            self.recycler,
            self.stop,
            self.orders,
            self.plan.require_store,
        )

    def run(self) -> int:
        """The whole life; returns the exit code."""
        self._begin()
        try:
            while self._code is None:
                self._turn()
        except Exception as error:  # noqa: BLE001  # said, then the children end all the same
            log.supervisor_broken(error=log.one_line(error))
            self._code = fork.INTERNAL_ERROR
        finally:
            self._end()
        log.supervisor_stopped(code=self._code)
        return self._code

    def _begin(self) -> None:
        if self.plan.owns_process:
            processes.set_title("supervisor", self.plan.instance)
            fork.adopt_orphans()
            _import_store_modules(self.target.url or default_url())
        fork.share_memory()
        log.supervisor_started(
            pid=os.getpid(),
            instance=self.instance.name,
            processes=self.orders.processes,
            groups=describe_groups(self.plan.groups),
        )
        self._looked_at = clock.monotonic()

    def _end(self) -> None:
        for child in self._children():  # none, unless the loop itself broke
            child.kill()
            os.waitpid(child.pid, 0)
        self.inbox.close(for_good=self.plan.owns_process)
        self.control.release()
        self.selector.close()
        self.table.close()
        fork.unshare_memory()

    # The loop

    def _turn(self) -> None:
        self._tend(clock.monotonic())
        if self._code is not None:
            return
        for key, _ in self.selector.select(self._patience(clock.monotonic())):
            key.data()
        self._read_signals()
        self._reap()

    def _patience(self, now: float) -> float:
        """Seconds until something must be done even if nothing happens."""
        moments = [now + _TICK, self.stop.grace_at, *(c.deadline for c in self._children())]
        if self.notifier.watchdog:
            moments.append(now + self.notifier.watchdog)
        if not self.stop.degree and len(self.crew.serving()) < self.orders.processes:
            moments.append(now + max(0.01, self.crew.backoff.wait(now)))
        if self.keeping.url is not None and self.keeping.keeper is None:
            moments.append(now + max(0.01, self.keeping.backoff.wait(now)))
        return max(0.0, min(moments) - now)

    def _tend(self, now: float) -> None:
        self._notice_gap(now)
        self.crew.tend(now)
        if self.stop.degree:
            self._code = self.stop.tend(now)
        else:
            self.reloader.tend(now)
            self.crew.staff(self.orders.processes, self.replacements)
            self.replacements.tend(now)
            self.recycler.tend(now)
            if self.crew.healthy:
                self.solo_lane.tend(now)
        self.keeping.tend(now)
        self.report.tend(now, self.orders.processes)

    def _notice_gap(self, now: float) -> None:
        """When this process was stopped, so were its children: their silence means nothing."""
        gap = now - self._looked_at
        self._looked_at = now
        # Before anybody's silence could be held against them: with a short lease, the keeper's comes first.
        if gap > min(_GAP, max(1.5 * _TICK, self.keeping.patience / 2)):
            log.clock_gap(seconds=gap)
            self.keeping.forgive(now)
            self.crew.forgive(gap, now)

    def _children(self) -> list[Child]:
        others = (self.keeping.keeper, self.reloader.watcher)
        return [*self.crew.workers.values(), *(child for child in others if child is not None)]

    # What comes in

    def _adopt(self, child: Child) -> None:
        self.selector.register(child.channel, selectors.EVENT_READ, partial(self._hear, child))

    def _hear(self, child: Child) -> None:
        for note in child.channel.receive():
            self.notes.take(child, note)
        child.channel.flush()
        if child.channel.closed and child.channel in self.selector.get_map():
            self.selector.unregister(child.channel)

    def _answer(self) -> None:
        self.control.answer(partial(self.report.describe, self.orders.processes))

    def _read_signals(self) -> None:
        for number in self.inbox.read():
            self.orders.obey(number)

    # Deaths

    def _reap(self) -> None:
        for child in self._children():
            try:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:  # under kit.start, the caller's own code may have reaped it
                pid, status = child.pid, 0
            if pid:
                self._bury(child, status)
        if self.plan.owns_process:
            fork.reap_orphans({child.pid for child in self._children()})

    def _bury(self, child: Child, status: int) -> None:
        child.gone = True
        self._hear(child)  # its last words
        if child.channel in self.selector.get_map():
            self.selector.unregister(child.channel)
        if isinstance(child, WorkerChild):
            self._bury_worker(child, status)
        elif child is self.keeping.keeper:
            self.solo_lane.waiting = False  # the keeper's successor will look again
            self.keeping.bury(child, status)
        else:
            self.reloader.bury(child)

    def _bury_worker(self, worker: WorkerChild, status: int) -> None:
        death = worker.death(status)
        running = len(worker.region.running())
        self.crew.bury(worker, death)
        self.keeping.died(worker.region, death)
        if self.stop.degree:
            self.stop.killed_tasks |= bool(running)
        elif not worker.was_ready and not worker.end:
            self.replacements.failed(worker, f"the new worker {death.how}")
            outside = death.signal in (signal.SIGKILL, signal.SIGTERM)
            if self.crew.healthy or outside:
                self.crew.boot_failed()
            else:
                self.stop.refuse(f"the first worker {death.how} at boot", CANNOT_START)
