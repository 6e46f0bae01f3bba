"""The functions of a queue by name, and the codecs their tasks may be written in."""

from collections.abc import Mapping
from typing import Any

from taskkitx.app.function import Enqueueable
from taskkitx.app.producer import CODEC
from taskkitx.codec import Codec, JSONCodec, make_codec
from taskkitx.errors import ConfigurationError, DecodeError
from taskkitx.task import Task

JSON = JSONCodec()


class Registry:
    """What this process knows."""

    def __init__(self, codec_key: str) -> None:
        """`codec_key` is what pickles are signed with."""
        self.functions: dict[str, Enqueueable[..., Any]] = {}
        self._codec_key = codec_key
        self._codecs: dict[str, Codec] = {JSON.id: JSON}

    def add(self, function: Enqueueable[..., Any]) -> None:
        """Raises ConfigurationError when another function has this name."""
        known = self.functions.get(function.name)
        if known is not None and not _same_place(known.function, function.function):
            raise ConfigurationError(
                f"two functions are called {function.name!r}: {_place(known.function)} and "
                f"{_place(function.function)}; give one of them a name of its own, @queue.task(name=...)"
            )
        self.functions[function.name] = function

    def codec(self, codec: str | Codec) -> Codec:
        """A codec by name or as given, known from now on. Raises ConfigurationError."""
        if isinstance(codec, str) and codec in self._codecs:
            return self._codecs[codec]
        made = make_codec(codec, self._codec_key)
        if not isinstance(made.id, str) or not made.id:
            raise ConfigurationError(f"the codec {made!r} has no id, by which its data are known")
        self._codecs[made.id] = made
        return made

    def codec_of(self, headers: Mapping[str, str] | None) -> Codec:
        """The codec a task was written in. Raises DecodeError where it is not known here."""
        if headers is None:
            return JSON
        name = headers.get(CODEC, JSON.id)
        known = self._codecs.get(name)
        if known is not None:
            return known
        try:
            return self.codec(name)
        except ConfigurationError as error:
            raise DecodeError(
                f"the task was written with the codec {name!r}, which is not there: {error}"
            ) from error

    def groups(self) -> set[str]:
        """Where the functions' tasks go by default."""
        return {function.options.group for function in self.functions.values()}

    def knows(self, task: Task) -> bool:
        """Whether there is a function of this name."""
        return task.name in self.functions


def _same_place(one: Any, other: Any) -> bool:
    """Whether this is the same piece of the program, defined once more: a reload, a notebook's cell."""
    return _place(one) == _place(other)


def _place(function: Any) -> str:
    return (
        f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"
    )
