"""From a kit in the caller's process to worker processes, with a supervisor or without."""

import atexit
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from taskkitx import log
from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.handler import TaskHandler
from taskkitx.localtime import zone_of
from taskkitx.schedule import ScheduleEntriesCompatMapping, checked_entries
from taskkitx.settings import Settings
from taskkitx.supervisor import fork, signals
from taskkitx.supervisor.children import WorkerChild
from taskkitx.supervisor.plan import Plan
from taskkitx.supervisor.process import TaskkitProcess
from taskkitx.supervisor.supervisor import supervise
from taskkitx.supervisor.target import InheritedTarget
from taskkitx.worker.runner import Runner
from taskkitx.worker.scheduling import scheduler_services
from taskkitx.worker.services import Service


class KitLike(Protocol):
    """What is needed of a Kit, which lives above this floor."""

    backend: Backend
    bridge: EventBridge
    handler: TaskHandler[Any, Any]
    settings: Settings


Polling = Mapping[str, float] | float | None
HelperServices = bool | Callable[[int], bool]


def start(
    kit: KitLike,
    num_processes: int,
    groups: Mapping[str, int],
    *,
    schedule_entries: ScheduleEntriesCompatMapping,
    tzinfo: tzinfo | str | None,
    polling_interval: Polling,
    helper_services: HelperServices,
    should_restart: Callable[[TaskkitProcess], bool] | None,
    instance: str,
    strict_fork: bool,
) -> int:
    """Supervise worker processes of this kit until told to stop; returns the exit code. See `Kit.start`."""
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError(
            "a supervisor must be started in the main thread: only there can signals be handled"
        )
    plan = Plan(
        processes=num_processes,
        groups=groups,
        instance=instance,
        helper_services=_anybody_helps(helper_services, num_processes),
        strict_fork=strict_fork,
    )
    settings = _settings(kit, polling_interval)
    log.configure(format=settings.log_format, level=settings.log_level)
    target = InheritedTarget(
        kit.backend, kit.bridge, kit.handler, _schedulers(kit, schedule_entries, tzinfo)
    )
    _close(kit)
    return supervise(target, plan, settings, should_restart=_by_process(should_restart))


def start_processes(
    kit: KitLike,
    num_processes: int,
    groups: Mapping[str, int],
    *,
    schedule_entries: ScheduleEntriesCompatMapping,
    tzinfo: tzinfo | str | None,
    polling_interval: Polling,
    helper_services: HelperServices,
    daemon: bool,
) -> list[TaskkitProcess]:
    """Fork worker processes that nobody supervises. See `Kit.start_processes`."""
    plan = Plan(processes=num_processes, groups=groups)
    settings = _settings(kit, polling_interval)
    fork.check_threads(strict=False)
    _close(kit)
    schedulers = _schedulers(kit, schedule_entries, tzinfo)

    def make_runner(index: int) -> Runner:
        return Runner(
            kit.backend,
            kit.bridge,
            kit.handler,
            plan.groups,
            settings,
            schedulers=schedulers(),
            helper_services=_helps(helper_services, index),
        )

    forked = [_fork(make_runner, index, daemon=daemon) for index in range(num_processes)]
    atexit.register(_see_off, os.getpid(), forked, settings.drain_timeout, daemon)
    return forked


def _fork(make_runner: Callable[[int], Runner], index: int, *, daemon: bool) -> TaskkitProcess:
    parent = os.getpid()
    # The kernel watches the forking thread, not the process: only the main thread surely lives as long.
    dies_with_parent = daemon and threading.current_thread() is threading.main_thread()

    def live() -> int:
        runner = make_runner(index)

        def stop(_: int, __: object) -> None:
            runner.stop()

        signals.become_child({signal.SIGTERM: stop, signal.SIGINT: stop})
        if dies_with_parent:
            fork.die_with_parent(parent)
        runner.run()
        return 0

    return TaskkitProcess(fork.fork(live))


def _see_off(owner: int, forked: list[TaskkitProcess], drain_timeout: float, daemon: bool) -> None:
    """At the end of the program: daemons are told to end and get their time, others are waited for."""
    if os.getpid() != owner:
        return
    for process in forked:
        if daemon:
            process.terminate()
    for process in forked:
        process.join(drain_timeout or None if daemon else None)
        process.kill()


def _settings(kit: KitLike, polling_interval: Polling) -> Settings:
    if polling_interval is None:
        return kit.settings
    if isinstance(polling_interval, Mapping):
        polling_interval = min(polling_interval.values(), default=kit.settings.poll_interval)
    return replace(kit.settings, poll_interval=float(polling_interval))


def _anybody_helps(helper_services: HelperServices, num_processes: int) -> bool:
    return any(_helps(helper_services, index) for index in range(num_processes))


def _helps(helper_services: HelperServices, index: int) -> bool:
    return helper_services(index) if callable(helper_services) else helper_services


def _schedulers(
    kit: KitLike, entries: ScheduleEntriesCompatMapping, zone: tzinfo | str | None
) -> Callable[[], Mapping[str, Service]]:
    """Makes them in each child; what is wrong with them is said here."""
    checked = checked_entries(entries, kit.handler)
    zone_of("tzinfo", zone)
    return lambda: scheduler_services(kit.backend, kit.handler, checked, zone)


def _close(kit: KitLike) -> None:
    """A connection must not be shared with children: each opens its own."""
    kit.backend.close()


def _by_process(
    should_restart: Callable[[TaskkitProcess], bool] | None,
) -> Callable[[WorkerChild], bool] | None:
    if should_restart is None:
        return None
    known = WeakKeyDictionary[WorkerChild, TaskkitProcess]()

    def ask(worker: WorkerChild) -> bool:
        process = known.setdefault(worker, TaskkitProcess(worker.pid, supervised=True))
        return should_restart(process)

    return ask
