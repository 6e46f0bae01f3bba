"""Values to bytes and back. A codec refuses what it would not give back unchanged, and says where it stands."""

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Protocol, cast

from taskkitx.errors import ConfigurationError, DecodeError, EncodeError

DEEPEST = 500
"""Nesting beyond that is refused: encoders would run out of stack."""

_SMALL = 1 << 63
LONGEST_INTEGER = 10_000
"""Bits of an integer in JSON; Python itself refuses to read much longer ones."""


class Codec(Protocol):
    """How values travel."""

    id: str
    """Kept with the data, so that a later default does not misread it."""

    def encode(self, value: Any) -> bytes:
        """The bytes of a value. Raises EncodeError naming the path, from `value` on, of what cannot be carried."""
        ...

    def decode(self, encoded: bytes) -> Any:
        """The value of stored bytes. Raises DecodeError."""
        ...


class JSONCodec:
    """None, bool, int, finite float, str, and lists and string-keyed dicts of such; everything else is refused."""

    id = "json"

    def encode(self, value: Any) -> bytes:
        """The value as UTF-8 JSON."""
        # What most functions return, without the generator that makes JSON of whole trees.
        if value is None:
            return b"null"
        if type(value) is int and -_SMALL < value < _SMALL:
            return b"%d" % value
        _check(value, "value", 0, _check_json)
        return _write_json(value).encode()

    def decode(self, encoded: bytes) -> Any:
        """What `encode` was given."""
        try:
            return _read_json(encoded.decode())
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"{encoded[:40]!r} is not JSON: {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


_read_json = json.JSONDecoder(parse_constant=_refuse_constant).decode
_write_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class MessagePackCodec:
    """What JSON takes, and bytes, every float, datetimes in UTC, and integers of 64 bits. Needs `msgpack`."""

    id = "msgpack"

    def __init__(self) -> None:
        """Raises ConfigurationError where msgpack is not installed."""
        try:
            msgpack: Any = import_module("msgpack")
        except ImportError:
            raise ConfigurationError(
                "the MessagePack codec needs the package msgpack: pip install 'taskkitx[msgpack]'"
            ) from None
        self._pack: Callable[..., bytes] = msgpack.packb
        self._unpack: Callable[..., Any] = msgpack.unpackb

    def encode(self, value: Any) -> bytes:
        """The value as MessagePack."""
        _check(value, "value", 0, _check_msgpack)
        return self._pack(value, datetime=True)

    def decode(self, encoded: bytes) -> Any:
        """What `encode` was given."""
        try:
            return self._unpack(encoded, timestamp=3)
        except Exception as error:  # noqa: BLE001  # msgpack raises a dozen unrelated types
            raise DecodeError(
                f"{encoded[:40]!r} is not MessagePack: {type(error).__name__} {error}"
            ) from None


class PickleCodec:
    """Nearly every Python object, by cloudpickle, signed: nothing is unpickled that was not signed with a known key.

    Whoever has the key can run code in every worker. Needs `cloudpickle`.
    """

    id = "pickle"

    def __init__(self, key: str | bytes | Sequence[str | bytes]) -> None:
        """`key`: 32 random bytes are enough; of several the first signs and all are accepted, so that keys can change.

        Raises ConfigurationError where a key is missing, or cloudpickle is not installed.
        """
        keys = [key] if isinstance(key, str | bytes) else list(key)
        self._keys = [one.encode() if isinstance(one, str) else one for one in keys]
        if not self._keys or not all(self._keys):
            raise ConfigurationError(
                "the pickle codec signs what it writes and needs a key: set TASKKITX_CODEC_KEY, or pass "
                "codec=PickleCodec(key)"
            )
        try:
            cloudpickle: Any = import_module("cloudpickle")
        except ImportError:
            raise ConfigurationError(
                "the pickle codec needs the package cloudpickle: pip install 'taskkitx[pickle]'"
            ) from None
        self._dumps: Callable[[Any], bytes] = cloudpickle.dumps
        self._loads: Callable[[bytes], Any] = cloudpickle.loads

    def __repr__(self) -> str:
        return f"PickleCodec({len(self._keys)} keys)"

    def encode(self, value: Any) -> bytes:
        """The signature, then the pickled value."""
        try:
            pickled = self._dumps(value)
        except Exception as error:  # whatever a value's own reduction raises
            raise EncodeError(
                f"value cannot be pickled: {type(error).__name__}: {error}"
            ) from error
        return _signature(self._keys[0], pickled) + pickled

    def decode(self, encoded: bytes) -> Any:
        """What `encode` was given, if its signature is right."""
        signature, pickled = encoded[:_SIGNATURE], encoded[_SIGNATURE:]
        if not any(hmac.compare_digest(signature, _signature(key, pickled)) for key in self._keys):
            raise DecodeError(
                "the pickled value is not signed with a key known here: it was not unpickled; "
                "producers and workers need the same TASKKITX_CODEC_KEY"
            )
        try:
            return self._loads(pickled)
        except Exception as error:
            raise DecodeError(
                f"the pickled value cannot be loaded here: {type(error).__name__}: {error}"
            ) from error


_SIGNATURE = hashlib.sha256().digest_size


def _signature(key: bytes, pickled: bytes) -> bytes:
    return hmac.digest(key, b"taskkitx.pickle\0" + pickled, "sha256")


def make_codec(codec: str | Codec, key: str = "") -> Codec:
    """The codec of this name (json, msgpack, pickle), or the codec itself; `key` is what pickles are signed with.

    Raises ConfigurationError.
    """
    if not isinstance(codec, str):
        return codec
    match codec:
        case "json":
            return JSONCodec()
        case "msgpack":
            return MessagePackCodec()
        case "pickle":
            return PickleCodec(key)
        case _:
            raise ConfigurationError(
                f"there is no codec {codec!r}: json, msgpack and pickle are known, "
                "and any object with id, encode and decode"
            )


# What is refused


def _check(
    value: object, path: str, depth: int, check_leaf: Callable[[object, type, str], None]
) -> None:
    """Raise EncodeError for the first part that would be lost or changed."""
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is list:
        _check_depth(path, depth)
        for index, item in enumerate(cast("list[object]", value)):
            _check(item, f"{path}[{index}]", depth + 1, check_leaf)
    elif kind is dict:
        _check_depth(path, depth)
        for key, item in cast("dict[object, object]", value).items():
            if type(key) is not str:
                raise EncodeError(f"{path} has the key {key!r}: only strings come back unchanged")
            _check_text(key, f"a key of {path}")
            _check(item, f"{path}.{key}", depth + 1, check_leaf)
    elif kind is str:
        _check_text(cast("str", value), path)
    else:
        check_leaf(value, kind, path)


def _check_depth(path: str, depth: int) -> None:
    if depth > DEEPEST:
        raise EncodeError(f"{path[:60]}... is nested more than {DEEPEST} deep")


def _check_json(value: object, kind: type, path: str) -> None:
    if kind is int:
        if cast("int", value).bit_length() > LONGEST_INTEGER:
            raise EncodeError(f"{path} is an integer of more than {LONGEST_INTEGER} bits")
        return
    if kind is not float:
        raise EncodeError(f"{path} is a {kind.__qualname__}: JSON cannot give it back unchanged")
    if not math.isfinite(cast("float", value)):
        raise EncodeError(f"{path} is {value!r}: JSON has no such number")


def _check_msgpack(value: object, kind: type, path: str) -> None:
    if kind is float or kind is bytes:
        return
    if kind is int:
        if not -(2**63) <= cast("int", value) < 2**64:
            raise EncodeError(f"{path} is {value!r}: MessagePack has integers of 64 bits")
    elif kind is datetime:
        if cast("datetime", value).tzinfo is not UTC:
            raise EncodeError(
                f"{path} is {value!r}: MessagePack gives back datetimes in UTC (datetime.UTC) only"
            )
    else:
        raise EncodeError(
            f"{path} is a {kind.__qualname__}: MessagePack cannot give it back unchanged"
        )


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EncodeError(f"{path} holds a lone surrogate, which no UTF-8 text has") from None
