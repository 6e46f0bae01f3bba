"""The TaskHandler behind a Queue: finds the function, decodes its arguments, runs it, and asks its rules."""

import threading
from collections.abc import Collection
from typing import Any, NamedTuple

from taskkitx.app.context import Context, context_of
from taskkitx.app.function import Enqueueable
from taskkitx.app.hooks import Event, Hook, Hooks
from taskkitx.app.registry import JSON, Registry
from taskkitx.app.retry import UnreadableArguments
from taskkitx.errors import DecodeError, Failed, NotFound
from taskkitx.handler import NO_LIMITS, Limits
from taskkitx.outcome import Cancelled, Outcome, Retried, Succeeded
from taskkitx.outcome import Failed as FailedOutcome
from taskkitx.task import Task, TaskState


class Call(NamedTuple):
    """The data of a task: what its function is called with."""

    args: tuple[Any, ...] | list[Any] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012  # never changed


class QueueHandler:
    """How a queue's tasks are encoded, run and retried."""

    def __init__(self, registry: Registry, hooks: Hooks) -> None:
        """`hooks` are the queue's; its functions bring their own."""
        self._registry = registry
        self._functions = registry.functions
        self._hooks = hooks
        self._here = threading.local()
        self.knows = registry.knows

    def known_names(self, group: str) -> Collection[str]:
        """Every name: a call may send any function's task to any group."""
        return list(self._functions)

    def get_limits(self, task: Task) -> Limits:
        """The function's."""
        function = self._functions.get(task.name)
        return NO_LIMITS if function is None else function.options.limits

    # Running

    def handle(self, task: Task) -> Any:
        """Call the function. Raises UnreadableArguments, and what the function raises."""
        function = self._functions.get(task.name)
        if function is None:
            raise NotFound(f"no function is called {task.name!r} here")
        args, kwargs = self._arguments(task)
        if not (self._hooks.present or function.hooks.present):
            return function.run(args, kwargs)
        return self._run_hooked(function, args, kwargs, context_of(task))

    def _run_hooked(
        self, function: Enqueueable[..., Any], args: Any, kwargs: Any, context: Context
    ) -> Any:
        """With what runs before, and what may still make a success a failure."""
        for hook in self._at("before", function):
            if hook.strict:
                hook.call(context)
            else:
                hook.quietly("before", context)
        result = function.run(args, kwargs)
        for hook in self._at("on_success", function):
            if hook.strict:
                hook.call(context, result)
        for hook in self._at("after", function):
            if hook.strict:
                hook.call(context, TaskState.SUCCEEDED.label)
        return result

    def _arguments(self, task: Task) -> tuple[Any, Any]:
        try:
            codec = JSON if task.headers is None else self._registry.codec_of(task.headers)
            args, kwargs = codec.decode(task.data)
            if not _are_arguments(args, kwargs):
                raise TypeError(f"they are {task.data[:40]!r}, not a list and an object")
        except (DecodeError, ValueError, TypeError) as error:
            raise UnreadableArguments(
                f"the arguments of {task.name} cannot be read: {error}"
            ) from error
        return args, kwargs

    def get_retry_interval(self, task: Task, exception: BaseException) -> float | None:
        """As the function's rule says."""
        function = self._functions.get(task.name)
        if function is None:
            return None
        if self._hooks.present or function.hooks.present:
            # For the hooks, which are told of an outcome: same thread, right after this.
            self._here.raised = (task.id, exception)
        return function.options.retry.interval(task.retry_count, exception)

    # Encoding

    def encode_data(self, group: str, task_name: str, data: Call) -> bytes:
        """For tasks that come through a Kit or a schedule: always JSON, as they have no header to say otherwise."""
        args, kwargs = data
        return JSON.encode([list(args), dict(kwargs)])

    def encode_result(self, task: Task, result: Any) -> bytes:
        """In the codec of the arguments."""
        codec = JSON if task.headers is None else self._registry.codec_of(task.headers)
        return codec.encode(result)

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        """What the function returned."""
        return self._registry.codec_of(task.headers).decode(encoded)

    def decode_call(self, task: Task) -> Call:
        """What the function is called with. Raises DecodeError."""
        return Call(*self._arguments(task))

    # Hooks

    def after(self, task: Task, outcome: Outcome) -> None:
        """Tell the hooks what an attempt came to; the store has yet to accept it."""
        function = self._functions.get(task.name)
        if not (self._hooks.present or (function is not None and function.hooks.present)):
            return
        raised, self._here.raised = getattr(self._here, "raised", None), None
        context = context_of(task)
        error = raised[1] if raised is not None and raised[0] == task.id else None
        match outcome:
            case Succeeded():
                self._tell_success(function, context, outcome)
            case Retried(fault=fault, interval=interval):
                fact = error or Failed(task, fault.text)
                self._tell("on_retry", function, context, fact, interval)
            case FailedOutcome(fault=fault):
                self._tell("on_failure", function, context, error or Failed(task, fault.text))
            case Cancelled():
                self._tell("on_cancel", function, context)
            case _:
                pass  # discarded or expired: nothing but `after` is told
        self._tell("after", function, context, type(outcome).__name__.lower())

    def _tell_success(
        self, function: Enqueueable[..., Any] | None, context: Context, outcome: Succeeded
    ) -> None:
        if any(not hook.strict for hook in self._at("on_success", function)):
            result = self.decode_result(outcome.task, outcome.result)
            self._tell("on_success", function, context, result)

    def _at(self, event: Event, function: Enqueueable[..., Any] | None) -> list[Hook]:
        """The queue's hooks, then the function's; the other way round for what comes after."""
        own = [] if function is None else function.hooks.at(event)
        outer = self._hooks.at(event)
        return [*outer, *own] if event == "before" else [*reversed(own), *reversed(outer)]

    def _tell(
        self,
        event: Event,
        function: Enqueueable[..., Any] | None,
        context: Context,
        *facts: object,
    ) -> None:
        """Call the hooks of this event; strict ones have had their say about a success while it could be changed."""
        succeeded = event == "on_success" or facts == (TaskState.SUCCEEDED.label,)
        for hook in self._at(event, function):
            if not (hook.strict and succeeded):
                hook.quietly(event, context, *facts)


def _are_arguments(args: object, kwargs: object) -> bool:
    """Whether a function can be called with them, as far as their types tell."""
    return isinstance(args, list | tuple) and isinstance(kwargs, dict)
