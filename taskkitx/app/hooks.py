"""What others want to do around tasks: one object with methods, or single functions; per queue and per function."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, overload

from taskkitx import log
from taskkitx.app.context import Context
from taskkitx.errors import AttemptInterrupted

Event = Literal["before", "after", "on_success", "on_failure", "on_retry", "on_cancel"]
EVENTS: tuple[Event, ...] = (
    "before",
    "after",
    "on_success",
    "on_failure",
    "on_retry",
    "on_cancel",
)
DECISIVE: tuple[Event, ...] = ("before", "on_success", "after")
"""Only these can fail an attempt, if declared strict: after the others its outcome is a fact."""

HookFunction = TypeVar("HookFunction", bound=Callable[..., object])


class Middleware:
    """Subclass it and override what you need; any object with some of these methods will do.

    An exception in a method is logged and changes nothing. With `strict = True`, one in `before`, `on_success` or
    `after` fails the attempt as if the function had raised it; a strict `after` runs only when the function returned.
    `on_cancel` and `after` are also called in the process that cancels a task while it waits.
    """

    strict: bool = False

    def before(self, task: Context) -> None:
        """The function is about to run, in this thread."""

    def after(self, task: Context, outcome: str) -> None:
        """The attempt came to an outcome: succeeded, retried, failed, discarded, cancelled or expired."""

    def on_success(self, task: Context, result: Any) -> None:
        """The function returned `result`."""

    def on_failure(self, task: Context, error: BaseException) -> None:
        """The task failed for good. `error` is what was raised; Failed when its worker died of it."""

    def on_retry(self, task: Context, error: BaseException, delay: float) -> None:
        """The attempt failed, and the task will be run again after `delay` seconds."""

    def on_cancel(self, task: Context) -> None:
        """The task was cancelled, while it waited or while it ran."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One function to be called at one event."""

    call: Callable[..., object]
    strict: bool

    def quietly(self, event: Event, task: Context, *facts: object) -> None:
        """Call it; what it raises is logged and changes nothing."""
        try:
            self.call(task, *facts)
        except AttemptInterrupted:
            raise  # meant for the attempt, whatever it runs just now
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a failing hook never changes the outcome
            log.hook_failed(
                f"{event} ({getattr(self.call, '__qualname__', self.call)})",
                task.id,
                log.one_line(error),
            )


class Hooks:
    """The hooks of a queue or of a function, by event, in the order they were given."""

    def __init__(self, middleware: Iterable[object] = ()) -> None:
        """With these to begin with."""
        self._hooks: dict[Event, list[Hook]] = {event: [] for event in EVENTS}
        self.present = False
        """Whether there are any."""
        for one in middleware:
            self.add(one)

    def add(self, middleware: object) -> None:
        """All methods it has, but for those that Middleware leaves empty."""
        strict = bool(getattr(middleware, "strict", False))
        for event in EVENTS:
            method = getattr(middleware, event, None)
            if method is not None and getattr(method, "__func__", None) is not getattr(
                Middleware, event
            ):
                self.hook(event, method, strict=strict)

    def hook(self, event: Event, call: Callable[..., object], *, strict: bool) -> None:
        """One function at one event."""
        self._hooks[event].append(Hook(call, strict and event in DECISIVE))
        self.present = True

    def at(self, event: Event) -> list[Hook]:
        """What is to be called."""
        return self._hooks[event]


class HookPoint(Generic[HookFunction]):
    """`@queue.on_failure` or `@queue.before(strict=True)`: registers a function and gives it back."""

    def __init__(self, hooks: Hooks, event: Event) -> None:
        """Registers there."""
        self._hooks = hooks
        self._event: Event = event

    @overload
    def __call__(self, call: HookFunction, /) -> HookFunction: ...
    @overload
    def __call__(
        self, call: None = None, /, *, strict: bool = False
    ) -> Callable[[HookFunction], HookFunction]: ...
    def __call__(self, call: Any = None, /, *, strict: bool = False) -> Any:
        """`strict`: what it raises fails the attempt."""

        def register(call: HookFunction) -> HookFunction:
            self._hooks.hook(self._event, call, strict=strict)
            return call

        return register if call is None else register(call)


class HookPoints:
    """Where a queue's own hooks are declared: `@queue.before`, `@queue.on_failure`, ..."""

    def __init__(self, hooks: Hooks) -> None:
        """They are added to these."""
        self.hooks = hooks
        self.before = HookPoint[Callable[[Context], object]](hooks, "before")
        self.after = HookPoint[Callable[[Context, str], object]](hooks, "after")
        self.on_success = HookPoint[Callable[[Context, Any], object]](hooks, "on_success")
        self.on_failure = HookPoint[Callable[[Context, BaseException], object]](hooks, "on_failure")
        self.on_retry = HookPoint[Callable[[Context, BaseException, float], object]](
            hooks, "on_retry"
        )
        self.on_cancel = HookPoint[Callable[[Context], object]](hooks, "on_cancel")
