"""The Queue: functions become tasks. It is a handler made from a registry of functions, plus a Kit."""

import functools
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, ParamSpec, Protocol, TypeVar, Unpack, cast, overload
from urllib.parse import quote

from taskkitx.app.function import AsyncFunction, Enqueueable, Function, make_function, name_of
from taskkitx.app.handler import QueueHandler
from taskkitx.app.hooks import HookPoints, Hooks
from taskkitx.app.options import (
    CallOptions,
    Options,
    Seconds,
    TaskOptions,
    as_seconds,
    check_priority,
    make_options,
)
from taskkitx.app.periodic import AnySchedule, Periodic, Policies, Timetable, make_schedule
from taskkitx.app.producer import Called, Producer
from taskkitx.app.registry import Registry
from taskkitx.app.retry import RetryRule
from taskkitx.app.view import View
from taskkitx.codec import Codec
from taskkitx.errors import ConfigurationError, InvalidTask
from taskkitx.event import EventBridge
from taskkitx.handler import Limits
from taskkitx.ids import check_name
from taskkitx.kit import Kit, make_kit
from taskkitx.result import Result
from taskkitx.schedule import ScheduleEntry
from taskkitx.settings import Settings
from taskkitx.task import DEFAULT_TASK_TTL

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_GROUP = "default"


class Decorator(Protocol):
    """What `@queue.task(...)` and `@queue.periodic(...)` apply to a function."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # the first that fits is meant
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Function[P, R]: ...


class Queue(View, HookPoints):
    """Functions whose calls are put into a store, and run by workers wherever they reach it."""

    def __init__(
        self,
        url: str | Kit[Any, Any] | None = None,
        *,
        db_path: str | os.PathLike[str] | None = None,
        kit: Kit[Any, Any] | None = None,
        workers: int | Mapping[str, int] = 8,
        default_retry: int = 3,
        default_timeout: Seconds | None = None,
        default_priority: int = 0,
        result_ttl: Seconds | None = DEFAULT_TASK_TTL,
        codec: str | Codec = "json",
        middleware: Sequence[object] = (),
        settings: Settings | None = None,
    ) -> None:
        """On the store at `url`, in the SQLite file `db_path`, or of `kit`; else `TASKKITX_URL` or taskkitx.db.

        `workers`: threads of each group (0: as many as processors), or by group. `default_*`, `result_ttl` (seconds a
        finished task is kept; None: 7 days) and `codec` (json, msgpack, pickle or an object) hold for functions that do
        not say otherwise. `middleware` is told of every task. Nothing is opened yet. Raises ConfigurationError.
        """
        if isinstance(url, Kit):
            url, kit = None, url
        self.settings = settings or (kit.settings if kit else Settings.from_environment())
        self.registry = Registry(self.settings.codec_key)
        HookPoints.__init__(self, Hooks(middleware))
        handler = QueueHandler(self.registry, self.hooks)
        self.kit = _make_kit(handler, url, db_path, kit, self.settings)
        View.__init__(self, self.kit.backend, handler)
        self.workers = workers
        self._defaults = _defaults(
            default_retry, default_timeout, default_priority, result_ttl, self.registry.codec(codec)
        )
        self._producer = Producer(self.backend, handler)
        self._timetable = Timetable(self._producer.make)

    def __repr__(self) -> str:
        return f"<Queue of {len(self.registry.functions)} functions>"

    @property
    def bridge(self) -> EventBridge:
        """The kit's way to tell workers something."""
        return self.kit.bridge

    # Functions

    @overload
    def task(  # type: ignore[overload-overlap]  # the first that fits is meant
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncFunction[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Function[P, R]: ...
    @overload
    def task(self, name: str | None = None, **options: Unpack[TaskOptions]) -> Decorator: ...
    def task(self, name: Any = None, **options: Unpack[TaskOptions]) -> Any:
        """Make a function a task; `name` defaults to its module and name. For the options see TaskOptions.

        Raises ConfigurationError naming option and value.
        """
        if name is None or isinstance(name, str):
            return functools.partial(self._register, name, options)
        return self._register(None, options, name)

    def _register(
        self, name: str | None, given: TaskOptions, function: Callable[..., Any]
    ) -> Enqueueable[..., Any]:
        options = make_options(given, self._defaults, self.registry.codec)
        hooks = Hooks(given.get("middleware", ()))
        name = name_of(function) if name is None else name
        try:
            check_name(name)
        except InvalidTask as error:
            raise ConfigurationError(str(error)) from None
        made = make_function(function, name, options, hooks, self._producer)
        self.registry.add(made)
        return made

    def periodic(
        self,
        cron: str | None = None,
        *,
        tz: str | tzinfo | None = None,
        schedule: AnySchedule | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        key: str | None = None,
        **policies: Unpack[Policies],
    ) -> Decorator:
        """Put the function by the clock, with these arguments, wherever a worker of this queue runs.

        `cron` has 5 fields, or 6 with seconds first, in the zone `tz` (default: the worker's). `key`: what its past is
        remembered by; default: the name. Write it above `@queue.task(...)` where the function has options.
        Raises InvalidSchedule, InvalidArguments.
        """
        when = make_schedule(cron, tz, schedule)

        def decorate(function: Any) -> Any:
            made = cast(
                "Enqueueable[..., Any]",
                function if isinstance(function, Enqueueable) else self.task(function),
            )
            called = key or self._timetable.free_key(made.name, when)
            self._timetable.add(Periodic(called, made, when, args, kwargs or {}, policies))
            return made

        return decorate

    # Putting by name

    def enqueue(
        self,
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[Any]:
        """Put a call of the function of this name, which need not be known here; see `Enqueueable.enqueue`."""
        return self._producer.put(self._called(name), args, kwargs or {}, options)

    def enqueue_many(
        self,
        name: str,
        args_list: Iterable[Sequence[Any]],
        kwargs_list: Iterable[Mapping[str, Any]] | None = None,
        **options: Unpack[CallOptions],
    ) -> list[Result[Any]]:
        """Put many calls at once, all or none: one for each tuple of arguments."""
        args = list(args_list)
        kwargs: list[Mapping[str, Any]] = list(kwargs_list or ({} for _ in args))
        if len(args) != len(kwargs):
            raise InvalidTask(
                f"args_list has {len(args)} calls, kwargs_list {len(kwargs)}: they go together"
            )
        calls = list(zip(args, kwargs, strict=True))
        return self._producer.put_many(self._called(name), calls, options)

    async def aenqueue(
        self,
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[Any]:
        """`enqueue`, while the event loop goes on."""
        import asyncio

        return await asyncio.to_thread(
            functools.partial(self.enqueue, name, args, kwargs, **options)
        )

    def _called(self, name: str) -> Called:
        known = self.registry.functions.get(name)
        return Called(name, self._defaults) if known is None else known.called

    # Running

    @property
    def groups(self) -> dict[str, int]:
        """Threads by group: of every group that a function names, and `default`."""
        if isinstance(self.workers, Mapping):
            return dict(self.workers)
        threads = self.workers or os.cpu_count() or 1
        return dict.fromkeys(sorted({DEFAULT_GROUP, *self.registry.groups()}), threads)

    @property
    def schedule_entries(self) -> dict[str, list[ScheduleEntry]]:
        """What `periodic` collected, by scheduler."""
        return self._timetable.entries()

    def run_worker(self, groups: Mapping[str, int] | None = None) -> None:
        """Run a worker, schedules included, as threads of this process, until `stop_worker` or Ctrl-C.

        May be called in a daemon thread. For production there is `taskkitx worker --app module:queue`.
        """
        self.kit.run_worker(groups or self.groups, schedule_entries=self.schedule_entries)

    def stop_worker(self) -> None:
        """Let every `run_worker` of this queue in this process drain and return."""
        self.kit.stop_worker()

    def start(
        self, num_processes: int = 1, groups: Mapping[str, int] | None = None, **options: Any
    ) -> None:
        """Run the supervisor with worker processes in this process; see `Kit.start`, which takes the options."""
        options.setdefault("schedule_entries", self.schedule_entries)
        self.kit.start(num_processes, groups or self.groups, **options)


def _defaults(
    retry: int, timeout: Seconds | None, priority: int, ttl: Seconds | None, codec: Codec
) -> Options:
    seconds = as_seconds("result_ttl", ttl)
    return Options(
        group=DEFAULT_GROUP,
        priority=check_priority(priority),
        ttl=DEFAULT_TASK_TTL if seconds is None else seconds,
        codec=codec,
        retry=RetryRule(max_retries=retry),
        limits=Limits(timeout=as_seconds("default_timeout", timeout)),
    )


def _make_kit(
    handler: QueueHandler,
    url: str | None,
    db_path: str | os.PathLike[str] | None,
    kit: Kit[Any, Any] | None,
    settings: Settings,
) -> Kit[Any, Any]:
    named = [name for name, value in (("url", url), ("db_path", db_path), ("kit", kit)) if value]
    if len(named) > 1:
        raise ConfigurationError(f"{' and '.join(named)} both name a store: give one of them")
    if kit is not None:
        return Kit(kit.backend, kit.bridge, handler, settings)
    if db_path is not None:
        url = f"sqlite:///{quote(os.fspath(db_path))}"
    return make_kit(handler, url, settings)
