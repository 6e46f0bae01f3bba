"""A function that can be called here, or put into the store to be called by a worker."""

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast

from taskkitx.app.hooks import Hooks
from taskkitx.app.options import CallOptions, Options, Seconds, seconds_until
from taskkitx.app.producer import Called, Producer
from taskkitx.app.signature import Signature
from taskkitx.errors import ConfigurationError
from taskkitx.result import Result

P = ParamSpec("P")
R = TypeVar("R")


class Enqueueable(Generic[P, R]):
    """What `@queue.task()` makes of a function: called, it runs here; `delay` and `enqueue` let a worker run it."""

    __name__: str

    def __init__(
        self,
        function: Callable[P, Any],
        name: str,
        options: Options,
        hooks: Hooks,
        producer: Producer,
    ) -> None:
        """Made by `Queue.task`."""
        functools.update_wrapper(cast("Callable[..., Any]", self), function)
        self.function = function
        self.name = name
        self.options = options
        self.hooks = hooks
        short = getattr(function, "__qualname__", name).rpartition("<locals>.")[2]
        self.called = Called(name, options, Signature(function, short))
        self._producer = producer

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __reduce__(self) -> str:
        """By reference, as functions travel: the queue stays where it is."""
        return self.function.__qualname__

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run it in this thread and return what it returns."""
        return cast("Callable[..., Any]", self.function)(*args, **kwargs)

    # Putting

    def delay(self, /, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """Let a worker call it with these arguments.

        Raises InvalidArguments naming the parameter that does not fit, EncodeError naming what cannot be carried,
        StoreUnavailable; nothing is enqueued then.
        """
        return cast("Result[R]", self._producer.put(self.called, args, kwargs))

    def enqueue(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[R]:
        """As `delay`, with options for this call; see CallOptions.

        Raises DuplicateTask where a unique key is bound and `conflict` says so.
        """
        return cast("Result[R]", self._producer.put(self.called, args, kwargs or {}, options))

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: Seconds | None = None,
        eta: datetime | float | None = None,
        queue: str | None = None,
        expires: datetime | Seconds | None = None,
        **options: Any,
    ) -> Result[R]:
        """`enqueue` under Celery's names: `countdown` is `delay`, `eta` is `due`, `queue` is `group`."""
        named = {
            "delay": countdown,
            "due": eta,
            "group": queue,
            "expires": seconds_until(expires),
        }
        given = {name: value for name, value in named.items() if value is not None}
        return self.enqueue(args, kwargs, **cast("CallOptions", {**options, **given}))

    def map(self, items: Iterable[Any], **options: Unpack[CallOptions]) -> list[Result[R]]:
        """One task for each item, all put at once: all or none. A tuple holds the arguments of one call, anything
        else is the only argument."""
        calls: list[tuple[Sequence[Any], Mapping[str, Any]]] = [
            (item if isinstance(item, tuple) else (item,), {}) for item in items
        ]
        return cast("list[Result[R]]", self._producer.put_many(self.called, calls, options))

    # The same, for coroutines

    async def adelay(self, /, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """`delay`, while the event loop goes on."""
        import asyncio

        return await asyncio.to_thread(self.delay, *args, **kwargs)

    async def aenqueue(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[R]:
        """`enqueue`, while the event loop goes on."""
        import asyncio

        return await asyncio.to_thread(functools.partial(self.enqueue, args, kwargs, **options))

    async def amap(self, items: Iterable[Any], **options: Unpack[CallOptions]) -> list[Result[R]]:
        """`map`, while the event loop goes on."""
        import asyncio

        return await asyncio.to_thread(functools.partial(self.map, items, **options))


class Function(Enqueueable[P, R]):
    """A plain function."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and now."""
        return cast("R", self.function(*args, **kwargs))


class AsyncFunction(Enqueueable[P, R]):
    """A coroutine function; a worker runs each call in an event loop of its own."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """The coroutine, to be awaited here."""
        return cast("Coroutine[Any, Any, R]", self.function(*args, **kwargs))

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run it to its end in this thread."""
        import asyncio

        return asyncio.run(super().run(args, kwargs))


def make_function(
    function: Callable[..., Any], name: str, options: Options, hooks: Hooks, producer: Producer
) -> Enqueueable[..., Any]:
    """The right kind for this function. Raises ConfigurationError for what no worker could call."""
    if not callable(function):
        raise ConfigurationError(f"{function!r} is no function: a task is made of one")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"{name} is a generator function: calling it would run nothing")
    if inspect.iscoroutinefunction(function):
        return AsyncFunction[..., Any](function, name, options, hooks, producer)
    return Function[..., Any](function, name, options, hooks, producer)


def name_of(function: Callable[..., Any]) -> str:
    """`module.function`, as the worker will import it: a script's own module has another name there."""
    module = getattr(function, "__module__", None) or "__main__"
    if module == "__main__":
        main = sys.modules.get("__main__")
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        if spec is not None:
            module = spec.name.removesuffix(".__main__")
        elif file is not None:
            module = Path(file).stem
    qualname = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{module}.{qualname}"
