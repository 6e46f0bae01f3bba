"""From a call to a task that stands in the store: encoded, unique where asked for, and answered by a Result."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskkitx.app.options import (
    LONGEST_KEY,
    CallOptions,
    Options,
    Unique,
    as_seconds,
    check_call_options,
)
from taskkitx.app.signature import Signature
from taskkitx.backend import Backend
from taskkitx.errors import DuplicateTask, EncodeError, InvalidArguments, InvalidTask
from taskkitx.handler import TaskHandler
from taskkitx.record import Put
from taskkitx.result import Result
from taskkitx.task import Task, TaskState, UniqueUntil

CODEC = "codec"
"""The header that names the codec of arguments and result, where it is not JSON."""
WAITING = frozenset(state for state in TaskState if state < TaskState.RUNNING)
MOST_TRIES = 1000
"""To replace a task while others do the same: each try that fails is another's success."""

_NO_OPTIONS = CallOptions()


@dataclass(frozen=True, slots=True)
class Called:
    """What is to be run: a name with its options, and the signature where the function is known here."""

    name: str
    options: Options
    signature: Signature | None = None


class Producer:
    """Makes tasks and puts them."""

    def __init__(self, backend: Backend, handler: TaskHandler[Any, Any]) -> None:
        """Puts into this store; `handler` decodes the results."""
        self._backend = backend
        self._handler = handler

    def put(
        self,
        called: Called,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions = _NO_OPTIONS,
    ) -> Result[Any]:
        """Put one task. Raises InvalidTask (InvalidArguments, EncodeError), DuplicateTask, StoreUnavailable."""
        task = self.make(called, args, kwargs, options)
        (put,) = self._backend.put([task], connection=options.get("connection"))
        if not put.created and task.unique_key is not None:
            put = self._settle(task, put, _conflict(called, options), options.get("connection"))
        return self._result(put)

    def put_many(
        self,
        called: Called,
        calls: Sequence[tuple[Sequence[Any], Mapping[str, Any]]],
        options: CallOptions = _NO_OPTIONS,
    ) -> list[Result[Any]]:
        """Put many tasks at once, all or none; a result for each, in order."""
        if called.options.unique is not None and _conflict(called, options) != "return":
            raise InvalidTask(
                f"many calls of {called.name} at once can only return what stands already: "
                'pass conflict="return", or call one by one'
            )
        tasks = [self.make(called, args, kwargs, options) for args, kwargs in calls]
        puts = self._backend.put(tasks, connection=options.get("connection"))
        return [self._result(put) for put in puts]

    def _result(self, put: Put) -> Result[Any]:
        return Result(self._backend, self._handler, put.id, created=put.created)

    # A unique key that is bound

    def _settle(self, task: Task, put: Put, conflict: str, connection: Any) -> Put:
        """What becomes of a task in whose way another one stands."""
        key = task.unique_key or ""
        if conflict == "raise":
            raise DuplicateTask(put.id, key)
        if conflict == "return":
            return put
        if connection is not None:
            raise InvalidTask(
                'conflict="replace" cannot be part of a transaction: what it replaces would stay cancelled '
                "after a rollback"
            )
        for _ in range(MOST_TRIES):
            standing = put.id
            gone = self._make_way(standing, task.id)
            (put,) = self._backend.put([task])
            if put.created:
                return put
            if put.id == standing and not gone:
                break
        raise DuplicateTask(put.id, key)

    def _make_way(self, standing: str, successor: str) -> bool:
        """Whether the task that stood is out of the way; one that has begun stays."""
        record = self._backend.get_many([standing]).get(standing)
        if record is None:
            return True
        if record.task.unique_until is UniqueUntil.WINDOW:
            # A window outlasts its task's end, so only its absence frees the key.
            return self._backend.discard([standing], states=WAITING) == 1 or not (
                self._backend.get_many([standing])
            )
        by = f"replaced by {successor}"
        state = self._backend.cancel([standing], by=by, states=WAITING).get(standing)
        return state is None or state.finished

    # Making the task

    def make(
        self,
        called: Called,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions = _NO_OPTIONS,
    ) -> Task:
        """The task of one call, not put yet."""
        _check_shape(called.name, args, kwargs)
        if called.signature is not None:
            called.signature.check(args, kwargs)
        data = _encode(called, args, kwargs)
        if options:
            check_call_options(options)
        common = called.options
        group = options.get("group")
        extra = _extra(common, options)
        if common.unique is not None or options.get("unique_key") is not None:
            extra |= _uniqueness(called, args, kwargs, options)
        ttl = as_seconds("ttl", options.get("ttl"), InvalidTask)
        return Task.init(
            common.group if group is None else group,
            called.name,
            data,
            due=options.get("due"),
            ttl=common.ttl if ttl is None else ttl,
            **extra,
        )


_USUAL = (list, tuple)
_TEXT = (str, bytes)
_KEYWORDS = (dict, Mapping)


def _check_shape(name: str, args: object, kwargs: object) -> None:
    """Refuse what was meant as the argument itself. Asked for every call, so the usual types come first."""
    if not isinstance(args, _USUAL) and (isinstance(args, _TEXT) or not isinstance(args, Sequence)):
        raise InvalidArguments(
            f"the arguments of {name} are {args!r}: they come in a list or tuple, [{args!r}]"
        )
    if not isinstance(kwargs, _KEYWORDS):
        raise InvalidArguments(
            f"the keyword arguments of {name} are {kwargs!r}: they come in a dict"
        )


def _encode(called: Called, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    codec = called.options.codec
    try:
        return codec.encode([list(args), dict(kwargs)])
    except EncodeError as error:
        if called.signature is None:
            raise
        raise called.signature.explain(error, codec, args, kwargs) from None


def _extra(common: Options, options: CallOptions) -> dict[str, Any]:
    """The fields of the task that differ from the default."""
    extra: dict[str, Any] = {}
    priority = options.get("priority")
    priority = common.priority if priority is None else priority
    if priority:
        extra["priority"] = priority
    expires = as_seconds("expires", options.get("expires"), InvalidTask)
    expires = common.expires if expires is None else expires
    if expires is not None:
        extra["expires"] = expires
    if options:
        for name, value in (("delay", options.get("delay")), ("timeout", options.get("timeout"))):
            seconds = as_seconds(name, value, InvalidTask)
            if seconds is not None:
                extra[name] = seconds
    headers: dict[str, str] = dict(options.get("headers") or {})
    if CODEC in headers:
        raise InvalidTask(f"the header {CODEC!r} is taken: it says how the arguments are encoded")
    if common.codec.id != "json":
        headers[CODEC] = common.codec.id
    if headers:
        extra["headers"] = headers
    return extra


def _uniqueness(
    called: Called, args: Sequence[Any], kwargs: Mapping[str, Any], options: CallOptions
) -> dict[str, Any]:
    unique = called.options.unique or Unique()
    key = options.get("unique_key")
    if key is None:
        key = unique_key(called, unique, args, kwargs)
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
        raise InvalidTask(f"unique_key is {key!r}: it is a text of 1 to {LONGEST_KEY} characters")
    until = UniqueUntil(unique.until)
    fields: dict[str, Any] = {"unique_key": key, "unique_until": until}
    if until is UniqueUntil.WINDOW:
        fields["unique_for"] = as_seconds("window", unique.window)
    return fields


def unique_key(
    called: Called, unique: Unique, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """The name and what makes this call the same as another one; long ones by their hash."""
    if unique.key is not None:
        same = str(unique.key(*args, **kwargs))
        if len(called.name) + 1 + len(same) <= LONGEST_KEY:
            return f"{called.name}:{same}"
        encoded = same.encode()
    else:
        canonical = (
            [list(args), sorted(map(list, kwargs.items()))]
            if called.signature is None
            else called.signature.canonical(args, kwargs)
        )
        encoded = called.options.codec.encode(canonical)
    digest = hashlib.sha256(encoded).hexdigest()[:40]
    return f"{called.name[: LONGEST_KEY - 41]}:{digest}"


def _conflict(called: Called, options: CallOptions) -> str:
    conflict = options.get("conflict")
    if conflict is not None:
        return conflict
    return called.options.unique.conflict if called.options.unique else "return"
