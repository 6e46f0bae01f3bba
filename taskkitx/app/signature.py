"""Arguments against a function's signature: refused at the call, by the parameter's name."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taskkitx.codec import Codec
from taskkitx.errors import ConfigurationError, EncodeError, InvalidArguments

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """What a function can be called with."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        """`name` is the one for people. Raises ConfigurationError for a function that has no signature."""
        try:
            self._signature = inspect.signature(function)
        except ValueError as error:
            raise ConfigurationError(
                f"{name} does not tell its parameters, so no call could be checked: wrap it in a function ({error})"
            ) from None
        self._name = name

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments by parameter. Raises InvalidArguments naming the parameter that does not fit."""
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArguments(
                f"{self._name}{self._signature}: {self._say(error, args)}"
            ) from None

    def _say(self, error: TypeError, args: Sequence[Any]) -> str:
        takes = [p.name for p in self._signature.parameters.values() if p.kind in _POSITIONAL]
        if "too many positional" not in str(error):
            return str(error)
        names = ", ".join(takes) or "none"
        return f"it takes {len(takes)} positional arguments ({names}), not {len(args)}"

    def explain(
        self, error: EncodeError, codec: Codec, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> EncodeError:
        """The error about the arguments as a whole, said of the parameter at fault."""
        bound = self.check(args, kwargs)
        for name, value in bound.arguments.items():
            try:
                codec.encode(list(value) if _is_rest(self._signature.parameters[name]) else value)
            except EncodeError as narrower:
                said = str(narrower).replace("value", name, 1)
                return EncodeError(f"{self._name}() was not enqueued: its argument {said}")
        return error

    def canonical(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The same for every way of writing the same call: [name, value] in order, without what equals its default."""
        parameters = self._signature.parameters
        same: list[Any] = []
        for name, value in self.check(args, kwargs).arguments.items():
            if parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                same += [list(pair) for pair in sorted(value.items(), key=lambda pair: pair[0])]
            elif _is_rest(parameters[name]):
                same.append([name, list(value)])
            elif not _is_default(value, parameters[name].default):
                same.append([name, value])
        return same


def _is_default(value: object, default: object) -> bool:
    return value is default or (type(value) is type(default) and value == default)


def _is_rest(parameter: inspect.Parameter) -> bool:
    return parameter.kind is inspect.Parameter.VAR_POSITIONAL
