"""Every word the engine logs, one line per event. An event is called like a function, with the fields of its text by
name or in their order: `log.worker_ready(pid=12, groups="default=8")`. How a line is written is the journal's.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import cast

from taskkitx.journal import LEVELS, Journal, Kind


class Event(Kind):
    """One thing worth a line. Calling it writes the line; its fields fill the text and stand on their own in JSON."""

    __slots__ = ()

    def __call__(self, *values: object, **fields: object) -> None:
        """Write the line, unless its level is not wanted or the same trouble has just been written."""
        if LEVELS.index(self.level) >= _journal.threshold:
            named = dict(zip(self.fields, values, strict=False)) | fields
            _journal.write(self, {name: _plain(value) for name, value in named.items()})


# Supervisor

supervisor_started = Event(
    "info",
    "supervisor_started",
    "supervisor {pid} of {instance} starts: {processes} processes, {groups}",
)
supervisor_ready = Event("info", "supervisor_ready", "ready: {workers} of {processes} workers")
supervisor_stopped = Event("info", "supervisor_stopped", "supervisor stopped with exit code {code}")
supervisor_broken = Event(
    "error", "supervisor_broken", "the supervisor itself failed and stops its children: {error}"
)
boot_refused = Event("error", "boot_refused", "cannot start: {reason}")
stop_requested = Event("info", "stop_requested", "{signal}: {meaning}")
signal_refused = Event("warning", "signal_refused", "{signal} changes nothing: {reason}")
processes_changed = Event(
    "info", "processes_changed", "{signal}: {processes} worker processes from now on"
)
threads_at_fork = Event(
    "warning",
    "threads_at_fork",
    "other threads are alive while worker processes are forked: {threads}; locks they hold stay locked in every child",
)
native_threads_at_fork = Event(
    "warning",
    "native_threads_at_fork",
    "{count} threads of native libraries are alive while worker processes are forked",
)
fork_failed = Event(
    "error", "fork_failed", "cannot fork a {role}: {error}; next try in {delay:.1f} s", ("role",)
)
no_free_region = Event(
    "warning",
    "no_free_region",
    "no place left in the slot table: {waiting} dead workers wait for the store to take their tasks back",
    (),
)
no_control_socket = Event(
    "warning",
    "no_control_socket",
    "cannot bind {path}: {error}; health checks of this supervisor will fail",
)
orphan_reaped = Event("debug", "orphan_reaped", "reaped the orphan {pid} ({how})")
clock_gap = Event(
    "warning", "clock_gap", "the supervisor was stopped for {seconds:.0f} s; deadlines are moved"
)

# Children

worker_started = Event("info", "worker_started", "{role} {pid} started ({worker_id})")
worker_ready = Event(
    "info", "worker_ready", "{role} {pid} is ready after {seconds:.2f} s: {groups}"
)
worker_waiting = Event(
    "warning", "worker_waiting", "{role} {pid} waits for the store: {reason}", ("role",)
)
worker_boot_failed = Event(
    "error", "worker_boot_failed", "{role} {pid} could not start: {reason}", ("role", "reason")
)
worker_died = Event("warning", "worker_died", "{role} {pid} {how} while it ran {running} tasks")
worker_ended = Event("info", "worker_ended", "{role} {pid} ended: {reason}")
worker_silent = Event(
    "warning", "worker_silent", "{role} {pid} has been silent for {seconds:.0f} s", ("pid",)
)
worker_hung = Event(
    "error",
    "worker_hung",
    "{role} {pid} has hung for {seconds:.0f} s: it dumps its stacks and is replaced",
)
worker_killed = Event("warning", "worker_killed", "{role} {pid} is killed: {reason}")
worker_condemned = Event(
    "warning",
    "worker_condemned",
    "{role} {pid} must be replaced: {tasks} outlived their timeout; its other tasks have {grace:.0f} s to finish",
)
worker_drains = Event("info", "worker_drains", "{role} {pid} drains: {reason}")
respawn_delayed = Event(
    "warning",
    "respawn_delayed",
    "boots that failed in a row: {deaths}; next try in {delay:.1f} s",
    (),
)
stacks_dumped = Event("error", "stacks_dumped", "stacks of {role} {pid}:\n{trace}")
recycle = Event("info", "recycle", "{role} {pid} is recycled: {reason}")
keeper_silent = Event(
    "error", "keeper_silent", "keeper {pid} has been silent for {seconds:.0f} s and is replaced"
)
handler_replaced = Event(
    "warning",
    "handler_replaced",
    "the application replaced the handler of {signal}; the worker's own is installed again",
    ("signal",),
)

# Rolling restart

roll_started = Event("info", "roll_started", "rolling restart of {workers} workers: {reason}")
roll_finished = Event("info", "roll_finished", "rolling restart finished")
roll_aborted = Event(
    "error", "roll_aborted", "rolling restart given up, the old workers go on: {reason}"
)

# Keeper

keeper_ready = Event("info", "keeper_ready", "keeper {pid} is ready")
tasks_restored = Event(
    "info",
    "tasks_restored",
    "worker {worker_id} {how}: {restored} tasks restored, {charged} charged, {suspects} to run alone",
)
late_claims_restored = Event(
    "info",
    "late_claims_restored",
    "worker {worker_id} had claimed {restored} more tasks as it died: they are restored",
)
task_charged = Event("warning", "task_charged", "task {task_id} ({task_name}) is charged: {cause}")
lease_lost = Event(
    "warning", "lease_lost", "worker {worker_id} lost its lease: the store no longer knows it"
)
service_failed = Event("error", "service_failed", "{service} failed: {error}", ("service", "error"))
keeper_died = Event("error", "keeper_died", "keeper {pid} {how} and is replaced", ())
supervisor_lost = Event(
    "warning", "supervisor_lost", "the supervisor is gone: the keeper waits for {workers} workers"
)

# Worker

store_down = Event("error", "store_down", "{who}: the store does not answer: {error}", ("who",))
store_up = Event("info", "store_up", "{who}: the store answers again, after {failures} failures")
store_alarm = Event("warning", "store_alarm", "the store needs attention: {alarm}")
batch_refused = Event(
    "error",
    "batch_refused",
    "worker {worker_id}: the store refuses a batch of {count} outcomes, they are written one by one: {error}",
    ("worker_id",),
)
outcomes_refused = Event(
    "warning",
    "outcomes_refused",
    "worker {worker_id}: too late, somebody else owns these tasks by now: {tasks}",
)
reconciled = Event(
    "warning",
    "reconciled",
    "worker {worker_id}: {count} tasks given back that it had claimed without knowing",
)
worker_expired = Event(
    "warning", "worker_expired", "worker {worker_id} is gone: {restored} tasks restored"
)
runner_started = Event("info", "runner_started", "worker {worker_id} starts: {groups}")
runner_stopped = Event(
    "info", "runner_stopped", "worker {worker_id} stopped after {finished} tasks"
)
hook_failed = Event("error", "hook_failed", "the hook {hook} failed for task {task}: {fault}")
attempt_given_up = Event(
    "warning", "attempt_given_up", "task {task} did not end within its timeout of {limit} s"
)

# Everybody

state_dump = Event("info", "state_dump", "state: {state}")
unexpected = Event("error", "unexpected", "{where}: {error}")
lines_dropped = Event(
    "warning", "lines_dropped", "{count} log lines were dropped: nobody read them"
)


_journal = Journal(lines_dropped)
os.register_at_fork(after_in_child=_journal.start_afresh)


def configure(
    *, format: str = "text", level: str = "info", descriptor: int | None = None
) -> None:  # the setting's own name
    """From now on write lines of at least `level` in this format to `descriptor` (default: standard error)."""
    _journal.configure(format, level, descriptor)


def _plain(value: object) -> object:
    """A value as it stands in a line: errors on one line, tasks by their id, collections as lists of such."""
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, BaseException):
        return one_line(value)
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    if isinstance(value, Iterable):
        return ", ".join(str(_plain(item)) for item in cast("Iterable[object]", value))
    kind, message = getattr(value, "kind", None), getattr(value, "message", None)
    if kind and message:
        return f"{kind}: {message}"
    return getattr(value, "id", None) or str(value)


def one_line(error: BaseException) -> str:
    """An exception as people read it: its type and what it says, on one line."""
    says = " ".join(str(error).split())
    return f"{type(error).__name__}: {says}" if says else type(error).__name__


def flush() -> None:
    """Hand on what the standard streams still hold; a process that ends by os._exit would lose it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed, or nobody reads
            continue
