"""The supervisor: one thread, one loop, no store, no code of the application. It derives what to do from the state of
its children after every wake-up, so a signal that came twice or not at all changes nothing."""

import os
import selectors
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from taskkitx import clock, log
from taskkitx.errors import ConfigurationError
from taskkitx.settings import Settings
from taskkitx.supervisor import fork, processes, recycle
from taskkitx.supervisor.channel import Note
from taskkitx.supervisor.child import CANNOT_START
from taskkitx.supervisor.children import Child, ChildState, Nursery, WorkerChild
from taskkitx.supervisor.crew import Crew
from taskkitx.supervisor.instance import Instance
from taskkitx.supervisor.keeping import Keeping
from taskkitx.supervisor.plan import Plan, describe_groups
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.signals import Degree, Inbox, StopRequests
from taskkitx.supervisor.slots import SlotTable
from taskkitx.supervisor.systemd import Notifier
from taskkitx.supervisor.target import Target

KILLED_TASKS = 124
STORE_UNREACHABLE = 75
_TICK = 1.0
_FAST = 5.0
_LAST_WORD = 2.0
"""Seconds a keeper may take, once the workers are gone, to give their tasks back; and once more to end."""
_SOLO_LINGER = 10.0
_GAP = 5.0
_OUTWARD = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

ShouldRestart = Callable[[WorkerChild], bool]


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
    _check_threads(plan)
    instance = Instance(plan.instance)
    try:
        return Supervisor(target, plan, settings, instance, should_restart).run()
    finally:
        instance.release()


def _check_threads(plan: Plan) -> None:
    names = fork.other_threads()
    if names and plan.strict_fork:
        raise ConfigurationError(
            f"other threads are alive ({', '.join(names)}): locks they hold would stay locked in every worker; "
            "start them after the fork, or allow it with strict_fork=False"
        )
    if names:
        log.threads_at_fork(threads=", ".join(names))
    if count := fork.native_threads():
        log.native_threads_at_fork(count=count)


@dataclass
class Supervisor:
    """The loop, and everything that is decided in it."""

    target: Target
    plan: Plan
    settings: Settings
    instance: Instance
    should_restart: ShouldRestart | None = None

    _code: int | None = None
    _refusal: int = 0
    _healthy: bool = False
    """A worker has been ready once: from now on nothing ends the supervisor but a stop."""
    _announced: bool = False
    _killed_tasks: bool = False
    _solo_waiting: bool = False
    _solo_idle_since: float = 0.0
    _stop_at: float = float("inf")
    _grace_at: float = float("inf")
    _looked_at: float = 0.0
    _sampled_at: float = 0.0
    _growth: dict[int, recycle.Growth] = field(default_factory=dict[int, recycle.Growth])

    def __post_init__(self) -> None:
        """Make everything children share before the first of them."""
        self.processes = self.plan.processes
        self.notifier = Notifier.from_environment()
        self.stop = StopRequests()
        self.table = SlotTable(self.plan.regions)
        self.selector = selectors.DefaultSelector()
        self.inbox = Inbox()
        self.nursery = Nursery([self.selector, self.inbox.pipe, self.instance])
        shared = (self.target, self.plan, self.settings, self.table, self.nursery, self._adopt)
        self.crew = Crew(*shared)
        self.keeping = Keeping(*shared, url=self.target.url)
        self.replacements = Replacements(
            self.crew.spawn, wait_for_old=self.settings.drain_timeout or 30.0
        )
        self.selector.register(self.inbox, selectors.EVENT_READ)

    def run(self) -> int:
        """The whole life; returns the exit code."""
        self._begin()
        try:
            while self._code is None:
                self._turn()
        except Exception as error:  # noqa: BLE001  # said, then the children are stopped all the same
            log.supervisor_broken(error=log.one_line(error))
            self._code = fork.INTERNAL_ERROR
        finally:
            self._end()
        log.supervisor_stopped(code=self._code)
        return self._code if self._code is not None else fork.INTERNAL_ERROR

    def _begin(self) -> None:
        if self.plan.owns_process:
            processes.set_title("supervisor", self.plan.instance)
            fork.adopt_orphans()
        fork.share_memory()
        log.supervisor_started(
            pid=os.getpid(),
            instance=self.instance.name,
            processes=self.processes,
            groups=describe_groups(self.plan.groups),
        )
        self._looked_at = clock.monotonic()

    def _end(self) -> None:
        for child in self._children():  # none, unless the loop itself broke
            child.kill()
            os.waitpid(child.pid, 0)
        self.inbox.close()
        self.selector.close()
        self.table.close()
        fork.unshare_memory()

    # The loop

    def _turn(self) -> None:
        now = clock.monotonic()
        self._tend(now)
        ready = self.selector.select(self._patience(clock.monotonic()))
        for number in self.inbox.read():
            self._obey(number)
        for key, _ in ready:
            if isinstance(key.data, Child):
                self._hear(key.data)
        self._reap()

    def _patience(self, now: float) -> float:
        """Seconds until something must be done even if nothing happens."""
        moments = [child.deadline for child in self._children()]
        if self.notifier.watchdog:
            moments.append(now + self.notifier.watchdog)
        if len(self.crew.serving()) < self.processes and not self.stop.degree:
            moments.append(now + max(0.01, self.crew.backoff.wait(now)))
        if self.keeping.url is not None and self.keeping.keeper is None:
            moments.append(now + max(0.01, self.keeping.backoff.wait(now)))
        moments.append(self._grace_at)
        return max(0.0, min(_TICK, min(moments) - now))

    def _tend(self, now: float) -> None:
        self._notice_gap(now)
        self.crew.tend(now)
        if self.stop.degree:
            self._go_on_stopping(now)
        else:
            self._staff()
            self.replacements.tend(now)
            self._tend_solo(now)
            if now - self._sampled_at >= _TICK:
                self._sampled_at = now
                self._look_for_replacements(now)
        self.keeping.tend(now)
        self._announce(now)

    def _notice_gap(self, now: float) -> None:
        """When this process was stopped itself, its children were too, and their silence means nothing."""
        gap = now - self._looked_at
        self._looked_at = now
        if gap < _GAP:
            return
        log.clock_gap(seconds=gap)
        self.table.keeper_beat = now
        for worker in self.crew.workers.values():
            worker.deadline += gap
            worker.region.beat = now

    # Children

    def _children(self) -> list[Child]:
        keeper = self.keeping.keeper
        return [*self.crew.workers.values(), *([keeper] if keeper else [])]

    def _adopt(self, child: Child) -> None:
        self.selector.register(child.channel, selectors.EVENT_READ, child)

    def _staff(self) -> None:
        """As many workers as wanted: fork the missing, drain the youngest beyond."""
        serving = self.crew.serving()
        missing = self.processes + self.replacements.extra - len(serving)
        for _ in range(missing):
            if self.crew.spawn() is None:
                return
        surplus = [w for w in reversed(serving) if w is not self.replacements.newcomer]
        for worker in surplus[: max(0, -missing)]:
            worker.drain("one process fewer is wanted")

    def _tend_solo(self, now: float) -> None:
        """Keep a solo lane while suspects wait, and a little longer."""
        lane = self.crew.solo_lane
        if lane is None:
            if self._solo_waiting and self._healthy:
                self.crew.spawn(solo=True)
            self._solo_idle_since = now
        elif self._solo_waiting or lane.region.running() or lane.state is not ChildState.READY:
            self._solo_idle_since = now
        elif now - self._solo_idle_since > _SOLO_LINGER:
            lane.drain("no suspect waits for it")

    def _look_for_replacements(self, now: float) -> None:
        """Once a second: who has served long enough?"""
        for worker in self.crew.ready():
            rss = processes.resident_memory(worker.pid)
            worker.region.rss = rss
            served = recycle.Service(
                worker.region.finished, now - worker.started, rss, worker.jitter
            )
            if self.settings.max_rss:
                growth = self._growth.setdefault(worker.pid, recycle.Growth())
                growth.sample(rss, [running.name for running in worker.region.running()])
            if recycle.far_too_large(served, self.settings):
                worker.end = "far beyond max_rss"
                worker.kill()
                log.worker_killed(
                    role=worker.role,
                    pid=worker.pid,
                    reason=f"it occupies {recycle.mebibytes(rss)}, far beyond max_rss",
                )
            elif why := recycle.too_long(served, self.settings):
                self.replacements.recycle(worker, why)
            elif self.should_restart is not None and self.should_restart(worker):
                self.replacements.recycle(worker, "should_restart says so")

    # What children say

    def _hear(self, child: Child) -> None:
        for note in child.channel.receive():
            if isinstance(child, WorkerChild):
                self._hear_worker(child, note)
            else:
                self._hear_keeper(note)
        child.channel.flush()
        if child.channel.closed and child.channel.fileno() >= 0:
            self._unwatch(child)

    def _unwatch(self, child: Child) -> None:
        if child.channel in self.selector.get_map():
            self.selector.unregister(child.channel)

    def _hear_worker(self, worker: WorkerChild, note: Note) -> None:
        who = {"role": worker.role, "pid": worker.pid}
        match note["kind"]:
            case "store":
                self.keeping.url = self.keeping.url or note["url"]
            case "waiting":
                log.worker_waiting(**who, reason=note["reason"])
                worker.deadline = clock.monotonic() + self.settings.boot_timeout
                if self.plan.require_store and not self._healthy:
                    self._refuse(note["reason"], STORE_UNREACHABLE)
            case "failed":
                if self._healthy:
                    log.worker_boot_failed(**who, reason=note["reason"])
                    self.replacements.failed(worker, note["reason"])
                else:
                    self._refuse(note["reason"], CANNOT_START)
            case "ready":
                self._healthy = True
                self.crew.is_ready(worker)
                log.worker_ready(
                    **who,
                    seconds=clock.monotonic() - worker.started,
                    groups=describe_groups(self.plan.groups),
                )

    def _hear_keeper(self, note: Note) -> None:
        match note["kind"]:
            case "ready":
                self.keeping.is_ready()
            case "restored":
                self.keeping.settled(note)
            case "solo":
                self._solo_waiting = note["waiting"]
            case "evicted":
                self._evict(note["worker_id"])
            case "shutdown":
                self._obey(signal.SIGTERM)

    def _evict(self, worker_id: str) -> None:
        """The store has given this worker's tasks to others: its identity is spent."""
        for worker in self.crew.workers.values():
            if worker.worker_id == worker_id and worker.serving:
                log.lease_lost(worker_id=worker_id)
                worker.drain("its lease was lost")

    # Deaths

    def _reap(self) -> None:
        if self.plan.owns_process:
            self._reap_all()
        else:
            for child in self._children():
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self._bury(child, status)

    def _reap_all(self) -> None:
        """Also what we never forked: pid 1 and subreapers inherit orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = next((child for child in self._children() if child.pid == pid), None)
            if child is None:
                log.orphan_reaped(pid=pid, how=os.waitstatus_to_exitcode(status))
            else:
                self._bury(child, status)

    def _bury(self, child: Child, status: int) -> None:
        child.gone = True
        self._hear(child)  # its last words
        self._unwatch(child)
        if isinstance(child, WorkerChild):
            self._bury_worker(child, status)
        else:
            self._solo_waiting = False  # its successor will look again
            if not self.keeping.stopping:
                log.keeper_died(pid=child.pid, how=self._how(status))
            self.keeping.bury(child)

    def _bury_worker(self, worker: WorkerChild, status: int) -> None:
        now = clock.monotonic()
        death = worker.death(status)
        running = len(worker.region.running())
        who = {"role": worker.role, "pid": worker.pid}
        self.crew.bury(worker)
        self._growth.pop(worker.pid, None)
        self.keeping.died(worker.region, death)
        if worker.hung:
            log.stacks_dumped(**who, trace=worker.region.crash.read())
        if worker.end and not death.signal and not death.exit_code:
            log.worker_ended(**who, reason=worker.end)
        else:
            log.worker_died(**who, how=death.how, running=running)
        if self.stop.degree:
            self._killed_tasks |= bool(death.deliberate and running)
        elif not worker.was_ready and not worker.end:
            self._boot_failed(worker, death.how, death.signal, now)

    def _boot_failed(self, worker: WorkerChild, how: str, number: int, now: float) -> None:
        self.replacements.failed(worker, f"the new worker {how}")
        delay = self.crew.backoff.failed(now)
        outside = number in (signal.SIGKILL, signal.SIGTERM)
        if self._healthy or outside:
            log.respawn_delayed(deaths=self.crew.backoff.deaths, delay=delay)
        else:
            self._refuse(f"the first worker {how} before it was ready", CANNOT_START)

    @staticmethod
    def _how(status: int) -> str:
        code = os.waitstatus_to_exitcode(status)
        return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"

    # Stopping

    def _refuse(self, reason: str, code: int) -> None:
        """This will not work before somebody changes something: say why, once, and end."""
        if not self._refusal:
            self._refusal = code
            log.boot_refused(reason=reason)
            self.stop.degree = max(self.stop.degree, Degree.FAST)
            self._enter(self.stop.degree)

    def _obey(self, number: signal.Signals) -> None:
        now = clock.monotonic()
        if number in _OUTWARD:
            if self.stop.receive(number, now):
                log.stop_requested(signal=number.name, meaning=self.stop.degree.meaning)
                self._enter(self.stop.degree)
        elif number == signal.SIGUSR2:
            log.state_dump(state=self.describe())
        elif self.stop.degree:
            return
        elif number == signal.SIGHUP:
            self.notifier.reloading()
            self.replacements.roll(self.crew.serving(), number.name)
        elif number in (signal.SIGTTIN, signal.SIGTTOU):
            self._resize(number)

    def _resize(self, number: signal.Signals) -> None:
        wanted = self.processes + (1 if number == signal.SIGTTIN else -1)
        if not 1 <= wanted <= self.plan.max_processes:
            log.signal_refused(
                signal=number.name, reason=f"{self.processes} processes are the limit"
            )
            return
        self.processes = wanted
        log.processes_changed(signal=number.name, processes=wanted)

    def _enter(self, degree: Degree) -> None:
        """Stop that much more urgently than before."""
        now = clock.monotonic()
        self.notifier.stopping()
        self.replacements.cancel()
        if degree is Degree.DRAIN:
            self._stop_at = now + (self.settings.drain_timeout or float("inf"))
        elif degree is Degree.FAST:
            self._stop_at = min(self._stop_at, now + _FAST)
        for worker in list(self.crew.workers.values()):
            if degree is Degree.NOW:
                worker.kill()
            else:
                worker.drain("the supervisor stops", self._stop_at)

    def _go_on_stopping(self, now: float) -> None:
        """Workers first, then what they left behind, then the keeper."""
        if self.crew.workers:
            if now < self._stop_at:
                self.notifier.extend(now)
            self._grace_at = float("inf")
        elif not self.keeping.stopping:
            if self._grace_at == float("inf"):
                self._grace_at = now + _LAST_WORD
            if not self.keeping.unsettled or now >= self._grace_at:
                self._grace_at = now + _LAST_WORD
                self.keeping.stop()
        elif self.keeping.keeper is None:
            self._code = self._refusal or (KILLED_TASKS if self._killed_tasks else 0)
        elif now >= self._grace_at:
            self.keeping.keeper.kill()

    # What the world is told

    def _announce(self, now: float) -> None:
        ready = len(self.crew.ready())
        if not self._announced and ready and self.keeping.ready and not self.stop.degree:
            self._announced = True
            log.supervisor_ready(workers=ready, processes=self.processes)
            self.notifier.ready()
        self.notifier.status(self._status())
        if self._progressing(now):
            self.notifier.progress(now)

    def _progressing(self, now: float) -> bool:
        """Whether restarting everything could not help: the keeper goes on, and a worker does."""
        silence = min(15.0, self.settings.lease_ttl / 2)
        return self.keeping.silence(now) < silence and any(
            now - worker.region.beat < silence for worker in self.crew.ready()
        )

    def _status(self) -> str:
        states = [worker.state for worker in self.crew]
        parts = [f"{states.count(state)} {state}" for state in ChildState if state in states]
        running = sum(len(worker.region.running()) for worker in self.crew)
        return (
            f"{self.processes} wanted: {', '.join(parts) or 'no workers'}; {running} tasks running"
        )

    def describe(self) -> dict[str, object]:
        """The state of the tree, for people and probes."""
        now = clock.monotonic()
        keeper = self.keeping.keeper
        return {
            "instance": self.instance.name,
            "pid": os.getpid(),
            "stopping": self.stop.degree.name.lower() if self.stop.degree else "",
            "processes": self.processes,
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
                    "running": [running.task_id for running in worker.region.running()],
                }
                for worker in self.crew.workers.values()
            ],
        }
