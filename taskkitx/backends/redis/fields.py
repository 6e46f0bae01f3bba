"""Tasks and records to the fields of a hash, and back. A field that has its default is not kept."""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from taskkitx.backends.headers import read_headers, write_headers
from taskkitx.record import Attempt, Record, WorkerRecord
from taskkitx.task import Task, TaskState, UniqueUntil

Fields = Mapping[bytes, bytes]

_STATES = {str(int(state)).encode(): state for state in TaskState}
_ATTEMPT_SIZE = 8


def text(value: str) -> bytes:
    """Text as kept: UTF-8, lone surrogates too."""
    return value.encode("utf-8", "surrogatepass")


def to_text(value: bytes) -> str:
    """And back."""
    return value.decode("utf-8", "surrogatepass")


def put_arguments(task: Task) -> list[Any]:
    """What `lua/putting.lua` takes for one task."""
    rank = -task.priority
    fields: list[Any] = ["name", task.name, "data", task.data, "ttl", task.ttl]
    if rank:
        fields += ("rank", rank)
    if task.unique_key is not None:
        fields += ("unique_key", text(task.unique_key))
    if not _is_plain(task):
        fields += _rare_fields(task)
    key = "" if task.unique_key is None else text("=" + task.unique_key)
    return [task.id, task.group, _when(task), rank, key, len(fields), *fields]


def _when(task: Task) -> str:
    if task.delay is not None:
        return f"+{task.delay!r}"
    return f"={task.due!r}" if task.state is TaskState.SCHEDULED else ""


def _is_plain(task: Task) -> bool:
    """Whether none of the rare fields is set. Asked for every task that is put."""
    return (
        task.headers is None
        and task.scheduled is None
        and task.timeout is None
        and task.expires is None
        and task.unique_key is None
        and task.loss is None
        and not (task.retry_count or task.attempt or task.crashes or task.lost)
    )


def _rare_fields(task: Task) -> list[Any]:
    values: dict[str, Any] = {
        "headers": write_headers(task.headers),
        "scheduled": task.scheduled,
        "timeout": task.timeout,
        "expires": task.expires,
        "unique_until": None if task.unique_until is None else task.unique_until.value,
        "unique_for": task.unique_for,
        "loss": None if task.loss is None else text(task.loss),
        "retry_count": task.retry_count or None,
        "attempt": task.attempt or None,
        "crashes": task.crashes or None,
        "lost": task.lost or None,
    }
    return [part for field, value in values.items() if value is not None for part in (field, value)]


_NUMBERS = (b"scheduled", b"timeout", b"expires", b"unique_for", b"began")
_COUNTS = (b"retry_count", b"crashes", b"lost", b"attempt")
_NEEDED = frozenset((b"name", b"data", b"due", b"created", b"ttl", b"state"))
_COMMON = _NEEDED | {b"rank"}


def to_task(task_id: str, fields: Fields) -> Task:
    """The task of a hash.

    The constructor of a frozen dataclass sets every field by itself; filling the instance's dictionary, and leaving
    defaults to the class, takes a third of the time, and this is the hot path.
    """
    task = object.__new__(Task)
    state = task.__dict__
    state["id"] = task_id
    try:
        state["state"] = _STATES[fields[b"state"]]
        state["name"] = fields[b"name"].decode("utf-8", "surrogatepass")
        state["data"] = fields[b"data"]
        state["due"] = float(fields[b"due"])
        state["created"] = float(fields[b"created"])
        state["ttl"] = float(fields[b"ttl"])
        if b"rank" in fields:
            state["priority"] = -int(fields[b"rank"])
        if fields.keys() - _COMMON:
            _add_rare(state, fields)
    except (KeyError, ValueError) as error:
        _fill_what_cannot_be_read(state, fields, error)
    return task


def _fill_what_cannot_be_read(state: dict[str, Any], fields: Fields, error: Exception) -> None:
    """Somebody else has written this hash, or a part of it: its fence must be right all the same."""
    missing = b", ".join(sorted(_NEEDED - fields.keys())).decode()
    state["unreadable"] = f"its hash has no {missing}" if missing else str(error)
    try:
        state["attempt"] = int(float(fields.get(b"attempt", 0)))
    except (ValueError, OverflowError):
        state["attempt"] = 0  # as the scripts read it
    defaults = {"name": "", "data": b"", "due": 0.0, "created": 0.0, "ttl": 0.0}
    for name, default in defaults.items():
        state.setdefault(name, default)


def _add_rare(state: dict[str, Any], fields: Fields) -> None:
    for field in _COUNTS:
        if field in fields:
            state[field.decode()] = int(fields[field])
    for field in _NUMBERS:
        if field in fields:
            state[field.decode()] = float(fields[field])
    for field, name in ((b"worker", "worker_id"), (b"loss", "loss"), (b"unique_key", "unique_key")):
        if field in fields:
            state[name] = to_text(fields[field])
    if b"unique_until" in fields:
        state["unique_until"] = UniqueUntil(fields[b"unique_until"].decode())
    if b"headers" in fields:
        state["headers"] = read_headers(fields[b"headers"])


def to_claim(claim: Sequence[Any], worker_id: str, now: float) -> Task:
    """The claimed task of an answer of `lua/claiming.lua`, which has the fields as they were before."""
    raw_id, flat = claim
    parts = iter(flat)
    task = to_task(raw_id.decode("utf-8", "surrogatepass"), dict(zip(parts, parts, strict=True)))
    state = task.__dict__
    state["state"] = TaskState.RUNNING
    state["attempt"] = task.attempt + 1
    state["worker_id"] = worker_id
    state["began"] = now
    return task


def to_record(task_id: str, flat: Sequence[bytes]) -> Record:
    """The record of a whole hash."""
    parts = iter(flat)
    fields = dict(zip(parts, parts, strict=True))
    return Record(
        to_task(task_id, fields),
        result=fields.get(b"result"),
        error=_text_or_none(fields.get(b"error")),
        done=_float_or_none(fields.get(b"done")),
        disposable=_float_or_none(fields.get(b"disposable")),
        progress=_text_or_none(fields.get(b"progress")),
        cancel_requested=_float_or_none(fields.get(b"cancel")),
        cancelled_by=_text_or_none(fields.get(b"cancelled_by")),
    )


def to_attempts(history: Sequence[bytes]) -> list[Attempt]:
    """The attempts of a history: attempt, worker, began, ended, state, kind, message, trace, and so on."""
    rows = [history[at : at + _ATTEMPT_SIZE] for at in range(0, len(history), _ATTEMPT_SIZE)]
    return [
        Attempt(
            int(attempt),
            to_text(worker) or None,
            float(began) if began else None,
            float(ended),
            to_text(state),
            *map(to_text, words),
        )
        for attempt, worker, began, ended, state, *words in rows
    ]


def worker_arguments(worker: WorkerRecord) -> tuple[str, str]:
    """Record and info as kept."""
    record = {
        "instance": worker.instance,
        "host": worker.host,
        "pid": worker.pid,
        "boot_id": worker.boot_id,
        "pid_namespace": worker.pid_namespace,
        "pid_started": worker.pid_started,
    }
    return json.dumps(record), info_argument(worker.info)


def info_argument(info: Mapping[str, Any]) -> str:
    """Info as kept."""
    return json.dumps(dict(info))


def to_worker(row: Sequence[bytes]) -> WorkerRecord:
    """The worker of an answer of `lua/workers.lua`."""
    worker_id, lease_left, started, record, info = row
    return WorkerRecord(
        to_text(worker_id),
        started=float(started),
        lease_left=float(lease_left),
        info=json.loads(info),
        **json.loads(record),
    )


def due_of_place(member: bytes) -> float:
    """The due of a member of a sorted set of places; see `place` in `lua/rows.lua`."""
    packed = member[1:9] if member[:1] == b"1" else bytes(255 - byte for byte in member[1:9])
    return float(struct.unpack(">d", packed)[0])


def _float_or_none(value: bytes | None) -> float | None:
    return None if value is None else float(value)


def _text_or_none(value: bytes | None) -> str | None:
    return None if value is None else to_text(value)
