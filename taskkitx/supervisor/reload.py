"""For development: a child process that watches files and tells when code has changed (`--reload`)."""

import importlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from taskkitx import clock, log
from taskkitx.supervisor import fork, processes, signals
from taskkitx.supervisor.backoff import Backoff
from taskkitx.supervisor.channel import Channel
from taskkitx.supervisor.children import Child, Nursery
from taskkitx.supervisor.plan import Plan

MOST_NAMED = 5


@dataclass
class Reloader:
    """The watcher of the folders a plan names, if it names any."""

    plan: Plan
    nursery: Nursery
    on_fork: Callable[[Child], None]
    watcher: Child | None = None
    _backoff: Backoff = field(default_factory=Backoff)

    def tend(self, now: float) -> None:
        """Fork a watcher when there should be one."""
        if self.watcher is not None or not self.plan.reload or self._backoff.wait(now) > 0:
            return
        supervisor = os.getpid()
        try:
            pid, channel = self.nursery.fork(
                lambda channel: run_watcher(self.plan, channel, supervisor)
            )
        except OSError as error:
            delay = self._backoff.failed(now)
            log.fork_failed(role="file watcher", error=log.one_line(error), delay=delay)
            return
        self.watcher = Child(pid, "file watcher", channel, started=now)
        self.on_fork(self.watcher)

    def bury(self, watcher: Child) -> None:
        """It has been reaped."""
        self._backoff.failed(clock.monotonic())
        self.nursery.bury(watcher.channel)
        self.watcher = None


def run_watcher(plan: Plan, channel: Channel, supervisor: int) -> int:
    """Watch until killed. The library brings a thread of its own, so it must not live in the supervisor."""
    signals.become_child({signal.SIGINT: signal.SIG_IGN, signal.SIGHUP: signal.SIG_IGN})
    fork.die_with_parent(supervisor)
    processes.set_title("file watcher", plan.instance)
    try:
        watchfiles: Any = importlib.import_module("watchfiles")  # an extra, for development only
    except ImportError:
        channel.send(
            kind="failed", reason="--reload needs watchfiles: pip install 'taskkitx[reload]'"
        )
        return 0
    for changes in watchfiles.watch(*plan.reload, watch_filter=watchfiles.PythonFilter()):
        paths = sorted({path for _, path in changes})
        more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
        channel.send(kind="changed", paths=", ".join(paths[:MOST_NAMED]) + more)
    return 0
