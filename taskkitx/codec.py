"""Values to bytes and back. JSON refuses what it would not give back unchanged, and says where it stands."""

import json
import math
from typing import Any, Protocol, cast

from taskkitx.errors import DecodeError, EncodeError

DEEPEST = 500
"""Nesting beyond that is refused: json itself would run out of stack."""


class Codec(Protocol):
    """How values travel."""

    id: str
    """Kept with the data, so that a later default does not misread it."""

    def encode(self, value: Any) -> bytes:
        """The bytes of a value. Raises EncodeError naming the path of what cannot be carried."""
        ...

    def decode(self, encoded: bytes) -> Any:
        """The value of stored bytes. Raises DecodeError."""
        ...


class JSONCodec:
    """None, bool, int, finite float, str, and lists and string-keyed dicts of such; everything else is refused."""

    id = "json"

    def encode(self, value: Any) -> bytes:
        """The value as UTF-8 JSON."""
        _check(value, "value", 0)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def decode(self, encoded: bytes) -> Any:
        """What `encode` was given."""
        try:
            return json.loads(encoded)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"{encoded[:40]!r} is not JSON: {error}") from None


def _check(value: object, path: str, depth: int) -> None:
    """Raise EncodeError for the first part that JSON would lose or change."""
    if depth > DEEPEST:
        raise EncodeError(f"{path[:60]}... is nested more than {DEEPEST} deep")
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return
    if kind is str:
        _check_text(cast("str", value), path)
    elif kind is float:
        if not math.isfinite(cast("float", value)):
            raise EncodeError(f"{path} is {value!r}: JSON has no such number")
    elif kind is list:
        for index, item in enumerate(cast("list[object]", value)):
            _check(item, f"{path}[{index}]", depth + 1)
    elif kind is dict:
        for key, item in cast("dict[object, object]", value).items():
            if type(key) is not str:
                raise EncodeError(f"{path} has the key {key!r}: JSON would turn it into a string")
            _check_text(key, f"a key of {path}")
            _check(item, f"{path}.{key}", depth + 1)
    else:
        raise EncodeError(f"{path} is a {kind.__qualname__}: JSON cannot give it back unchanged")


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EncodeError(f"{path} holds a lone surrogate, which no UTF-8 text has") from None
