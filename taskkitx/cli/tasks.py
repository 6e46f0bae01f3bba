"""`taskkitx tasks`: look at tasks, and retry, cancel or discard them."""

import getpass
from typing import Any

import click

from taskkitx.backend import Backend, Record, TaskFilter
from taskkitx.cli.options import json_option, open_store, store_options
from taskkitx.cli.output import moment, print_facts, print_json, print_table
from taskkitx.errors import NotFound
from taskkitx.task import TaskState

_STATES = [state.label for state in TaskState]
_SHOWN_BYTES = 2000


@click.group()
def tasks() -> None:
    """List, show, retry, cancel or discard tasks."""


@tasks.command("list")
@store_options
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES), help="Only tasks in this state."
)
@click.option("--group", help="Only this group.")
@click.option("--name", help="Only tasks of this name.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", metavar="ID", help="The next page: tasks older than this one.")
@json_option
def list_(
    url: str | None,
    app: str | None,
    states: tuple[str, ...],
    group: str | None,
    name: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """Tasks, newest first."""
    backend, _ = open_store(url, app)
    wanted = frozenset(TaskState[state.upper()] for state in states) or None
    records = backend.list_tasks(TaskFilter(wanted, group, name), limit=limit, after=after)
    if as_json:
        print_json([_facts(record) for record in records])
        return
    columns = ("id", "name", "state", "attempt", "failures", "due", "error")
    print_table("tasks", columns, [_row(record) for record in records])
    if len(records) == limit:
        click.echo(f"more: --after {records[-1].task.id}")


def _row(record: Record) -> list[Any]:
    task = record.task
    error = (record.error or "").partition("\n")[0]
    return [
        task.id,
        task.name,
        task.state.label,
        task.attempt,
        task.retry_count,
        moment(task.due),
        error,
    ]


@tasks.command()
@store_options
@click.argument("task_id", metavar="ID")
@json_option
def show(url: str | None, app: str | None, task_id: str, as_json: bool) -> None:
    """Everything known of one task, with the attempts that did not succeed."""
    backend, _ = open_store(url, app)
    record = backend.get_many([task_id]).get(task_id)
    if record is None:
        raise NotFound(f"no task {task_id}: it never existed, or it was purged after its ttl")
    facts = _facts(record)
    attempts = [_attempt(one) for one in backend.attempts(task_id)]
    if as_json:
        print_json(facts | {"attempts": attempts})
        return
    print_facts({name: value for name, value in facts.items() if value is not None})
    for attempt in attempts:
        click.echo(
            f"\nattempt {attempt['attempt']} {attempt['state']} at {attempt['ended']} on {attempt['worker']}: "
            f"{attempt['kind']}: {attempt['message']}"
        )
        if attempt["trace"]:
            click.echo(attempt["trace"].rstrip())


def _facts(record: Record) -> dict[str, Any]:
    task = record.task
    return {
        "id": task.id,
        "group": task.group,
        "name": task.name,
        "state": task.state.label,
        "priority": task.priority,
        "due": moment(task.due),
        "created": moment(task.created),
        "scheduled": moment(task.scheduled),
        "began": moment(task.began),
        "done": moment(record.done),
        "attempt": task.attempt,
        "failures": task.retry_count,
        "crashes": task.crashes,
        "lost": task.lost,
        "loss": task.loss,
        "worker": task.worker_id,
        "unique_key": task.unique_key,
        "progress": record.progress,
        "cancelled_by": record.cancelled_by,
        "data": _text(task.data),
        "result": None if record.result is None else _text(record.result),
        "error": record.error,
    }


def _text(data: bytes) -> str:
    """Bytes for people: as text where they are some, shortened."""
    shown = data[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return shown if len(data) <= _SHOWN_BYTES else f"{shown}... ({len(data)} bytes)"


def _attempt(attempt: Any) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "state": attempt.state,
        "worker": attempt.worker_id,
        "began": moment(attempt.began),
        "ended": moment(attempt.ended),
        "kind": attempt.kind,
        "message": attempt.message,
        "trace": attempt.trace,
    }


@tasks.command()
@store_options
@click.argument("ids", nargs=-1, required=True)
def retry(url: str | None, app: str | None, ids: tuple[str, ...]) -> None:
    """Queue finished tasks again."""
    backend, _ = open_store(url, app)
    _all_known(backend, ids)
    click.echo(f"queued again: {backend.retry(ids)} of {len(set(ids))}")


@tasks.command()
@store_options
@click.argument("ids", nargs=-1, required=True)
def cancel(url: str | None, app: str | None, ids: tuple[str, ...]) -> None:
    """Cancel waiting tasks at once; ask running ones to end."""
    backend, _ = open_store(url, app)
    _all_known(backend, ids)
    for task_id, state in backend.cancel(ids, by=getpass.getuser()).items():
        asked = " (asked to end)" if state is TaskState.RUNNING else ""
        click.echo(f"{task_id}: {state.label}{asked}")


@tasks.command()
@store_options
@click.argument("ids", nargs=-1, required=True)
def discard(url: str | None, app: str | None, ids: tuple[str, ...]) -> None:
    """Delete tasks that are not running, with their history."""
    backend, _ = open_store(url, app)
    _all_known(backend, ids)
    click.echo(f"discarded: {backend.discard(ids)} of {len(set(ids))}")


def _all_known(backend: Backend, ids: tuple[str, ...]) -> None:
    unknown = set(ids) - backend.get_many(ids).keys()
    if unknown:
        raise NotFound(f"no task {', '.join(sorted(unknown))}; nothing was changed")
