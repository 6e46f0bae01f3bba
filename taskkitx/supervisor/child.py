"""The life of a worker process, from the fork to its exit code."""

import faulthandler
import importlib
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import dropwhile
from pathlib import Path
from types import FrameType

from taskkitx import clock, log
from taskkitx.errors import StoreUnavailable, TaskkitxError
from taskkitx.settings import Settings
from taskkitx.supervisor import fork, processes, signals
from taskkitx.supervisor.channel import Channel
from taskkitx.supervisor.memory import MemoryWatch
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.slots import Region, SharedSlots
from taskkitx.supervisor.target import Loaded, Target
from taskkitx.task import Task
from taskkitx.worker.services import Services
from taskkitx.worker.slots import IfLost
from taskkitx.worker.worker import Worker

CANNOT_START = 78
"""Exit code of a process that will not work before somebody changes something."""
QUIT = 131
LEFT_CONDEMNED = 70
"""Everything but the condemned tasks has finished."""

ORPHAN_DRAIN = 10
"""Seconds a worker may drain when its supervisor is gone: nobody guards it any more."""
OOM_POINTS = 300


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker process is given at its fork."""

    target: Target
    plan: Plan
    settings: Settings
    region: Region
    channel: Channel
    worker_id: str
    solo: bool
    supervisor: int
    """The pid of the supervisor."""

    @property
    def role(self) -> str:
        """For titles and lines."""
        return "solo lane" if self.solo else "worker"


def run_worker(post: Post) -> int:
    """Boot, report ready, run until told to stop and drained; returns the exit code."""
    _settle_in(post)
    try:
        loaded = post.target.load()
        post = replace(post, plan=post.plan.for_app(loaded.groups))
        slots = _WorkerSlots(post)
        worker = Worker(
            loaded.backend,
            loaded.handler,
            post.plan.groups,
            worker_id=post.worker_id,
            settings=post.settings,
            slots=slots,
            bell=post.region.bell,
            instance=post.plan.instance,
            solo=post.solo,
        )
        _open(post, worker)
        # Only a store that a worker could open gets a keeper: what is wrong with it is said once.
        post.channel.send(kind="store", url=loaded.backend.url, groups=dict(post.plan.groups))
    except Exception as error:  # noqa: BLE001  # whatever it is, the supervisor says it, once
        post.channel.send(kind="failed", reason=_explain(error))
        return CANNOT_START
    slots.obey(worker.stop, worker.rest)
    _start_services(post, loaded)
    slots.beat(0, 0)
    post.channel.send(kind="ready")
    worker.run()
    return _leave(post, loaded)


def _settle_in(post: Post) -> None:
    """What must be true before any code of the application runs."""
    signals.become_child(
        {
            # Nothing has been claimed yet, so nothing has to be finished; and Python would call a handler of ours only
            # when the import returns to it, which C code may keep it from for long.
            signal.SIGTERM: signal.SIG_DFL,
            signal.SIGQUIT: _leave_at_once,  # by default it would leave a core file
            # A Ctrl-C goes to the whole group; the supervisor turns it into a drain.
            signal.SIGINT: signal.SIG_IGN,
            signal.SIGHUP: signal.SIG_IGN,
            signal.SIGUSR1: signal.SIG_IGN,
            signal.SIGUSR2: signal.SIG_IGN,
        }
    )
    fork.die_with_parent(post.supervisor)
    fork.prefer_for_oom(OOM_POINTS + 200 * post.solo)
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
    processes.set_title(post.role, post.plan.instance)
    post.region.crash.arm()
    _stamp_exits(post.region)
    os.register_at_fork(after_in_child=_become_a_stranger)


def _leave_at_once(_: int, __: FrameType | None) -> None:
    fork.real_exit(0)


def _open(post: Post, worker: Worker) -> None:
    """Reach the store and register there, however long the store is away."""
    delay = 0.1
    while True:
        try:
            # The lease counts from before the request: the reply may be slow to come.
            asked = clock.boottime()
            worker.open()
        except StoreUnavailable as error:
            post.channel.send(kind="waiting", reason=log.one_line(error))
            time.sleep(delay * random.uniform(0.8, 1.2))
            delay = min(5.0, delay * 2)
        else:
            post.region.renewed = asked
            post.region.registered = 1
            return


def _start_services(post: Post, loaded: Loaded) -> None:
    """Schedulers need the application's code, so they run here; compare-and-set makes their races harmless."""
    if not loaded.schedulers or not post.plan.helper_services or post.solo:
        return
    services = Services({f"scheduler {name}": call for name, call in loaded.schedulers.items()})

    def serve() -> None:
        while True:
            time.sleep(services.run_due())

    threading.Thread(target=serve, name="taskkitx services", daemon=True).start()


def _leave(post: Post, loaded: Loaded) -> int:
    if post.region.running():
        # Threads that never return: interpreter and application must not wait for them.
        fork.real_exit(LEFT_CONDEMNED)
    loaded.backend.close()
    return 0


class _WorkerSlots(SharedSlots):
    """The worker's slots; with every beat the process also makes sure that it still obeys its signals."""

    def __init__(self, post: Post) -> None:
        super().__init__(post.region, sum(post.plan.groups.values()) if not post.solo else 1)
        self._post = post
        self._stop: Callable[[], None] | None = None
        self._rest: Callable[[], None] | None = None
        self._obeyed = 0.0
        self._memory: MemoryWatch | None = None
        if max_rss := post.settings.max_rss:
            self._memory = MemoryWatch(max_rss, post.region)

    def obey(self, stop: Callable[[], None], rest: Callable[[], None]) -> None:
        """From now on TERM means `stop`, and too much memory means `rest` until TERM comes."""
        self._stop = stop
        self._rest = rest
        self._install()

    def run(
        self, thread: int, task: Task, deadline: float, if_lost: IfLost = IfLost.NOTHING
    ) -> None:
        super().run(thread, task, deadline, if_lost)
        if self._memory is not None:
            self._memory.begins(task.name)

    def beat(self, idle: int, finished: int) -> None:
        super().beat(idle, finished)
        now = clock.monotonic()
        if self._memory is not None and self._rest is not None:
            self._watch_memory(self._memory, self._rest, now)
        if self._stop is not None and now - self._obeyed >= 1.0:
            if signal.getsignal(signal.SIGTERM) != self._on_term:
                log.handler_replaced(signal="SIGTERM")
            self._install()

    def _watch_memory(self, memory: MemoryWatch, rest: Callable[[], None], now: float) -> None:
        if rss := memory.look(now):
            self._post.channel.send(kind="grown", rss=rss, name=memory.growth.culprit)
            rest()

    def condemn(self, thread: int) -> None:
        super().condemn(thread)
        self._post.channel.send(kind="condemned")

    def _install(self) -> None:
        # Even when Python still knows our handlers: a native library may have replaced them below it.
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGQUIT, _quit)
        self._obeyed = clock.monotonic()

    def _on_term(self, _: int, __: FrameType | None) -> None:
        if self._stop is not None:
            self._stop()
        if os.getppid() != self._post.supervisor:
            signal.alarm(ORPHAN_DRAIN)  # its default action ends the process, whoever holds the GIL


def _quit(_: int, __: FrameType | None) -> None:
    fork.real_exit(QUIT)


def _stamp_exits(region: Region) -> None:
    """Make `os._exit` in a handler leave the name of its thread behind."""

    def stamped(status: int) -> None:
        region.stamp_exit()
        fork.real_exit(status)

    os._exit = stamped  # type: ignore[assignment]


def _become_a_stranger() -> None:
    """In a process the application forks from a worker: it is no worker, and must not speak or die as one."""
    os._exit = fork.real_exit
    faulthandler.disable()
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _explain(error: Exception) -> str:
    if isinstance(error, TaskkitxError):
        if error.__cause__ is None:
            return str(error)
        return f"{error}\n{_trace(error.__cause__)}"
    return f"{log.one_line(error)}\n{_trace(error)}"


def _trace(error: BaseException) -> str:
    """The traceback from the application's first frame on: how the engine came to import it is nobody's concern, nor
    is the way through the engine to an error that it raised for the application."""
    frames = list(dropwhile(_leads_to_the_app, traceback.extract_tb(error.__traceback__)))
    while isinstance(error, TaskkitxError) and frames and frames[-1].filename.startswith(_ENGINE):
        frames.pop()
    return "".join(traceback.format_list(frames)).rstrip()


def _leads_to_the_app(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(("<frozen importlib", _ENGINE, importlib.__file__))


_ENGINE = os.path.join(Path(__file__).parents[1], "")
