"""What `taskkitx check` looks for: each function looks at one thing and says what is wrong with it, or nothing."""

import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.handler import limits_of
from taskkitx.process import run_directory
from taskkitx.record import TaskFilter
from taskkitx.settings import Settings
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.processes import resident_memory
from taskkitx.supervisor.recycle import mebibytes
from taskkitx.task import Task, TaskState

MOST_SKEW = 2.0
"""Seconds by which this machine's clock may differ from the store's."""
THREADS_PER_CPU = 64
_SAMPLE = 200
"""Waiting tasks whose names are looked at."""
_DESCRIPTORS = 64
"""What a process opens besides its places in the slot table."""
_DESCRIPTORS_PER_REGION = 4
_CAP = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should change, and where it is."""

    about: str
    text: str


@dataclass(frozen=True)
class Setup:
    """What a worker with the same options would work with."""

    backend: Backend
    handler: Any
    plan: Plan
    settings: Settings
    store_exists: bool

    def known_names(self, group: str) -> Collection[str] | None:
        """The names this application can run in a group; None: it does not say."""
        known = getattr(self.handler, "known_names", None)
        return None if known is None else known(group)

    def waiting(self) -> list[Task]:
        """Some of the tasks that wait, newest first."""
        if not self.store_exists:
            return []
        states = frozenset(state for state in TaskState if not state.finished)
        return [r.task for r in self.backend.list_tasks(TaskFilter(states=states), limit=_SAMPLE)]


def stop_timeout(setup: Setup) -> Iterator[Finding]:
    """Tasks that may run longer than a stop waits for them."""
    drain = setup.settings.drain_timeout
    if not drain:
        return
    tasks = {(task.group, task.name): task for task in setup.waiting()}
    for group in setup.plan.groups:
        for name in setup.known_names(group) or ():
            tasks.setdefault((group, name), Task.init(group, name, b""))
    limits = {name: limits_of(setup.handler, task) for (_, name), task in tasks.items()}
    longest = {name: limit.timeout or 0.0 for name, limit in limits.items()}
    too_long = {name: seconds for name, seconds in longest.items() if seconds > drain}
    if too_long:
        names = ", ".join(f"{name} ({seconds:g} s)" for name, seconds in sorted(too_long.items()))
        yield Finding(
            "stop",
            f"drain_timeout is {drain:g} s, but these tasks may run longer and would be killed by a stop: {names}; "
            "raise --drain-timeout (and the service manager's own stop timeout), or lower their limits",
        )


def directories(_: Setup) -> Iterator[Finding]:
    """Where the supervisor keeps its socket must be writable."""
    folder = run_directory()
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding(
            "directory", f"the run directory {folder} cannot be written: set TASKKITX_RUN_DIR"
        )


def sizes(setup: Setup) -> Iterator[Finding]:
    """Threads, descriptors and memory that the plan needs, against what there is."""
    threads, cpus = sum(setup.plan.groups.values()), os.cpu_count() or 1
    if threads * setup.plan.processes > cpus * THREADS_PER_CPU:
        yield Finding(
            "pools",
            f"{setup.plan.processes} processes with {threads} threads each are "
            f"{setup.plan.processes * threads} threads on {cpus} processors",
        )
    needed = _DESCRIPTORS + threads + setup.plan.regions * _DESCRIPTORS_PER_REGION
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed > allowed:
        yield Finding(
            "pools",
            f"about {needed} open files are needed and {allowed} allowed: raise the limit (ulimit -n, LimitNOFILE=), "
            "or run fewer processes",
        )


def connections(setup: Setup) -> Iterator[Finding]:
    """What all processes may open, against what the store's server allows."""
    limits: Callable[[], tuple[int, int]] | None = getattr(setup.backend, "connection_limits", None)
    if limits is None or not setup.store_exists:
        return
    each, allowed = limits()
    processes = setup.plan.processes + 2  # the keeper, and the solo lane or a successor
    if each * processes > allowed:
        yield Finding(
            "pools",
            f"{processes} processes may open {each} connections each, {each * processes} in all, and the server allows "
            f"{allowed}: raise its max_connections, or lower `pool` in the store's URL",
        )


def memory(setup: Setup) -> Iterator[Finding]:
    """A limit that the application exceeds before its first task."""
    limit = setup.settings.max_rss
    occupied = resident_memory(os.getpid())
    if 0 < limit < occupied:
        yield Finding(
            "memory",
            f"max_rss is {mebibytes(limit)}, but the application alone takes {mebibytes(occupied)}: every worker "
            "would be replaced after its first task",
        )


def clock(setup: Setup) -> Iterator[Finding]:
    """Absolute due times that users give are compared by the store's clock."""
    if not setup.store_exists:
        return
    before = time.time()
    store = setup.backend.now()
    skew = max(before - store, store - time.time())
    if skew > MOST_SKEW:
        yield Finding(
            "clock",
            f"this machine's clock and the store's are {skew:.1f} s apart: due times given here mean another moment "
            "there; let both follow a time server",
        )


def names(setup: Setup) -> Iterator[Finding]:
    """Waiting tasks that this application cannot run."""
    unknown = Counter[tuple[str, str]]()
    for task in setup.waiting():
        known = setup.known_names(task.group) if task.group in setup.plan.groups else None
        if (known is not None and task.name not in known) or (
            task.state is TaskState.PARKED and known is None
        ):
            unknown[task.group, task.name] += 1
    for (group, name), count in sorted(unknown.items()):
        yield Finding(
            "names",
            f"the application knows no task {name!r} of the group {group!r}, of which {count} wait: they are parked "
            "until a worker knows it; deploy the code, or `taskkitx tasks discard` them",
        )


def groups(setup: Setup) -> Iterator[Finding]:
    """Groups whose tasks wait for workers that do not exist, or for somebody to resume them."""
    if not setup.store_exists:
        return
    served = set(setup.plan.groups)
    for worker in setup.backend.workers():
        found: Mapping[str, int] = worker.info.get("groups") or {}
        served |= set(found)
    for group in setup.backend.groups(_CAP):
        waiting = group.counts.get(TaskState.QUEUED, 0)
        if waiting and group.group not in served:
            yield Finding(
                "groups",
                f"{waiting} tasks of the group {group.group!r} wait, and no worker serves it: add "
                f"-t {group.group}=THREADS here or elsewhere",
            )
        if waiting and group.paused:
            yield Finding(
                "groups",
                f"the group {group.group!r} is paused while {waiting} tasks wait: `taskkitx resume {group.group}`",
            )


ALL = (stop_timeout, directories, sizes, connections, memory, clock, names, groups)


def find(setup: Setup) -> list[Finding]:
    """Everything there is to say; what the application's own code raises is a finding, too."""
    found: list[Finding] = []
    for look in ALL:
        try:
            found += look(setup)
        except ConfigurationError as error:
            found.append(Finding(look.__name__, str(error)))
    return found
