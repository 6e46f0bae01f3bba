"""The Kit: a store, its event bridge and a handler under one name. It has no logic of its own."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Generic, NotRequired, TypedDict, TypeVar

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.handler import TaskHandler
from taskkitx.ids import check_group
from taskkitx.localtime import zone_of
from taskkitx.result import Result
from taskkitx.schedule import ScheduleEntriesCompatMapping, checked_entries
from taskkitx.settings import Settings, default_url
from taskkitx.task import DEFAULT_TASK_TTL, Task
from taskkitx.worker.slots import MAX_THREADS

if TYPE_CHECKING:
    from taskkitx.supervisor.process import TaskkitProcess
    from taskkitx.worker.runner import Runner

In = TypeVar("In")
Out = TypeVar("Out")


class InitiateTaskArgs(TypedDict):
    """One task for `Kit.initiate_tasks`, as `Kit.initiate_task` takes it."""

    group: str
    name: str
    data: Any
    due: NotRequired[datetime | float | None]
    ttl: NotRequired[float]
    eager: NotRequired[bool]
    priority: NotRequired[int]


class Kit(Generic[In, Out]):
    """Initiates tasks, reads their results, and runs workers."""

    def __init__(
        self,
        backend: Backend,
        bridge: EventBridge,
        handler: TaskHandler[In, Out],
        settings: Settings | None = None,
        *,
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | str | None = None,
    ) -> None:
        """Settings default to the `TASKKITX_*` environment.

        `schedule_entries` and `tzinfo` are what `start`, `start_processes`, `run_worker` and the command line run
        where they are given no others. Raises InvalidSchedule.
        """
        self.backend = backend
        self.bridge = bridge
        self.handler = handler
        self.settings = settings or Settings.from_environment()
        self.schedule_entries = checked_entries(schedule_entries or {}, handler)
        self.tzinfo = zone_of("tzinfo", tzinfo)
        self._runners: list[Runner] = []

    # Initiating

    def initiate_task(
        self,
        group: str,
        name: str,
        data: In,
        due: datetime | float | None = None,
        ttl: float = DEFAULT_TASK_TTL,
        eager: bool = False,
        *,
        priority: int = 0,
        connection: Any = None,
    ) -> Result[Out]:
        """Put one task and return the handle on its result.

        `due` None means at once; a naive datetime is local time. `ttl`: seconds the finished task is kept. `eager`:
        run it here and now, store nothing. `connection`: the task is part of that transaction, and exists if and only
        if it commits. Raises InvalidTask, StoreUnavailable, and what the handler's `encode_data` raises.
        """
        args = InitiateTaskArgs(
            group=group, name=name, data=data, due=due, ttl=ttl, eager=eager, priority=priority
        )
        return self.initiate_tasks(args, connection=connection)[0]

    def initiate_tasks(
        self, *args: Task | tuple[Task, bool] | InitiateTaskArgs, connection: Any = None
    ) -> list[Result[Out]]:
        """Put many tasks at once, all or none; `(task, True)` runs that one here and now instead.

        A Task's data is already encoded. One result for each argument, in order.
        """
        items = [self._prepare(item) for item in args]
        put = iter(
            self.backend.put([task for task, eager in items if not eager], connection=connection)
        )
        return [
            self._run_eagerly(task) if eager else self.get_result(next(put).id)
            for task, eager in items
        ]

    def _prepare(self, item: Task | tuple[Task, bool] | InitiateTaskArgs) -> tuple[Task, bool]:
        if isinstance(item, Task):
            return item, False
        if isinstance(item, tuple):
            return item
        group, name = item["group"], item["name"]
        data = self.handler.encode_data(group, name, item["data"])
        due, ttl = item.get("due"), item.get("ttl", DEFAULT_TASK_TTL)
        options = {"priority": item["priority"]} if "priority" in item else {}
        return Task.init(group, name, data, due, None, ttl, **options), item.get("eager", False)

    def _run_eagerly(self, task: Task) -> Result[Out]:
        from taskkitx.worker.eager import run_eagerly

        return Result(
            self.backend,
            self.handler,
            task.id,
            record=run_eagerly(self.handler, task, self.settings),
        )

    def get_result(self, task_id: str) -> Result[Out]:
        """The handle on any task's result; nothing is read yet."""
        return Result(self.backend, self.handler, task_id)

    # Running

    def start(
        self,
        num_processes: int,
        num_worker_threads_per_group: Mapping[str, int],
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | str | None = None,
        polling_interval: Mapping[str, float] | float | None = None,
        helper_services: bool | Callable[[int], bool] = True,
        should_restart: "Callable[[TaskkitProcess], bool] | None" = None,
        *,
        instance: str = "",
        strict_fork: bool = False,
    ) -> None:
        """Run the supervisor in this process, which should have no other thread; returns by SystemExit.

        Its code is 0 after a clean stop (SIGTERM, Ctrl-C), 124 when the drain timeout had to kill, 78 when it never
        became ready. `polling_interval`: seconds of the poll of last resort. `helper_services` False: leave
        schedules, restoring and retention to other supervisors. `should_restart`: asked about once a second for each
        process. `instance`: a name that no second supervisor on this machine may have at the same time.
        `strict_fork`: refuse to fork beside other threads instead of warning.
        """
        from taskkitx.supervisor.start import start

        raise SystemExit(
            start(
                self,
                num_processes,
                num_worker_threads_per_group,
                schedule_entries=self.schedule_entries
                if schedule_entries is None
                else schedule_entries,
                tzinfo=tzinfo or self.tzinfo,
                polling_interval=polling_interval,
                helper_services=helper_services,
                should_restart=should_restart,
                instance=instance,
                strict_fork=strict_fork,
            )
        )

    def start_processes(
        self,
        num_processes: int,
        num_worker_threads_per_group: Mapping[str, int],
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | str | None = None,
        polling_interval: Mapping[str, float] | float | None = None,
        helper_services: bool | Callable[[int], bool] = True,
        daemon: bool = True,
    ) -> "list[TaskkitProcess]":
        """Fork worker processes and return them: nobody supervises them, each brings its own services along."""
        from taskkitx.supervisor.start import start_processes

        return start_processes(
            self,
            num_processes,
            num_worker_threads_per_group,
            schedule_entries=self.schedule_entries
            if schedule_entries is None
            else schedule_entries,
            tzinfo=tzinfo or self.tzinfo,
            polling_interval=polling_interval,
            helper_services=helper_services,
            daemon=daemon,
        )

    def run_worker(
        self,
        groups: Mapping[str, int] | None = None,
        *,
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | str | None = None,
    ) -> None:
        """Run a worker and its services as threads of this process, until `stop_worker` or Ctrl-C.

        May be called in a daemon thread. `groups` default to one thread pool of 8 for the group `default`.
        """
        from taskkitx.worker.runner import Runner, run_until_interrupted
        from taskkitx.worker.scheduling import scheduler_services

        runner = Runner(
            self.backend,
            self.bridge,
            self.handler,
            checked_groups(groups or {"default": 8}),
            self.settings,
            schedulers=scheduler_services(
                self.backend,
                self.handler,
                self.schedule_entries if schedule_entries is None else schedule_entries,
                tzinfo or self.tzinfo,
            ),
        )
        self._runners.append(runner)
        try:
            run_until_interrupted(runner)
        finally:
            self._runners.remove(runner)

    def stop_worker(self) -> None:
        """Let every `run_worker` of this Kit in this process drain and return."""
        for runner in list(self._runners):
            runner.stop()

    # Control

    def send_shutdown_event(self, groups: set[str] | None = None) -> None:
        """Drain and end: every process on this store, or only these groups' threads."""
        self.bridge.send_event({"name": "shutdown", "groups": _listed(groups)})

    def send_pause_event(self, groups: set[str] | None = None) -> None:
        """From now on nothing is claimed for these groups (None: all), until resumed; running tasks go on."""
        self.backend.pause(groups)
        self.bridge.send_event({"name": "pause", "groups": _listed(groups)})

    def send_resume_event(self, groups: set[str] | None = None) -> None:
        """Undo `send_pause_event`, for these groups (None: all)."""
        self.backend.resume(groups)
        self.bridge.send_event({"name": "resume", "groups": _listed(groups)})


def make_kit(
    handler: TaskHandler[In, Out],
    url: str | None = None,
    settings: Settings | None = None,
    *,
    schedule_entries: ScheduleEntriesCompatMapping | None = None,
    tzinfo: tzinfo | str | None = None,
) -> Kit[In, Out]:
    """A Kit on the store at `url`; default: `TASKKITX_URL`, else `sqlite:///taskkitx.db`.

    Nothing is opened yet. Raises ConfigurationError for a URL that no store answers to, InvalidSchedule.
    """
    from taskkitx.backends.connect import connect

    settings = settings or Settings.from_environment()
    backend, bridge = connect(url or default_url(), settings)
    return Kit(backend, bridge, handler, settings, schedule_entries=schedule_entries, tzinfo=tzinfo)


def checked_groups(groups: Mapping[str, int]) -> dict[str, int]:
    """The threads of each group; raises ConfigurationError for what cannot work."""
    if not groups:
        raise ConfigurationError("no group given: a worker without groups would do nothing")
    for group, threads in groups.items():
        check_group(group)
        if not isinstance(threads, int) or threads < 1:
            raise ConfigurationError(
                f"group {group!r} has {threads!r} threads: it needs at least one"
            )
    if sum(groups.values()) > MAX_THREADS:
        raise ConfigurationError(
            f"{sum(groups.values())} threads in one process: at most {MAX_THREADS}"
        )
    return dict(groups)


def _listed(groups: set[str] | None) -> list[str] | None:
    return None if groups is None else sorted(groups)
