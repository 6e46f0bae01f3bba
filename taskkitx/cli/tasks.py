"""`taskkitx tasks`: look at tasks one by one, and decide about them."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from taskkitx.cli.output import duration, moment, print_json, print_table, printable
from taskkitx.cli.store import opened, store_options
from taskkitx.errors import NotFound
from taskkitx.process import user_at_host
from taskkitx.record import Record, TaskFilter
from taskkitx.task import TaskState

_STATES = {state.label: state for state in TaskState}


@click.group()
def tasks() -> None:
    """List, show, retry, cancel and discard tasks."""


@tasks.command("list")
@store_options
@click.option("--state", "states", multiple=True, type=click.Choice(list(_STATES)))
@click.option("--group")
@click.option("--name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Go on below this id: the last of the page before.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
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
    """List tasks, newest first."""
    which = TaskFilter(
        states=frozenset(_STATES[state] for state in states) or None, group=group, name=name
    )
    with opened(url, app) as (backend, _):
        records = backend.list_tasks(which, limit=limit, after=after)
        now = backend.now()
    if as_json:
        print_json([describe(record) for record in records])
        return
    print_table(
        "Tasks",
        ["id", "name", "state", "attempt", "age", "error"],
        (
            [
                record.task.id,
                record.task.name,
                record.state.label,
                record.task.attempt,
                duration(now - record.task.created),
                _first_line(record.error),
            ]
            for record in records
        ),
    )
    if len(records) == limit:
        click.echo(f"\nmore: --after {records[-1].task.id}")


@tasks.command()
@click.argument("task_id", metavar="ID")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(task_id: str, url: str | None, app: str | None, as_json: bool) -> None:
    """Show everything about one task, with the attempts that did not succeed."""
    with opened(url, app) as (backend, _):
        record = backend.get_many([task_id]).get(task_id)
        attempts = backend.attempts(task_id)
    if record is None:
        raise NotFound(f"no task {task_id}: it never existed, or it was purged or discarded")
    described = describe(record) | {"attempts": [asdict(a) for a in attempts]}
    if as_json:
        print_json(described)
    else:
        _print_task(described)


@tasks.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@store_options
@click.pass_context
def retry(ctx: click.Context, ids: tuple[str, ...], url: str | None, app: str | None) -> None:
    """Queue finished tasks again, due now."""
    with opened(url, app) as (backend, _):
        before = backend.get_many(ids)
        done = backend.retry(set(ids))
    _conclude(ctx, "queued again", done, ids, before, lambda state: state.finished)


@tasks.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@store_options
@click.pass_context
def discard(ctx: click.Context, ids: tuple[str, ...], url: str | None, app: str | None) -> None:
    """Delete tasks that are not running, with their history."""
    with opened(url, app) as (backend, _):
        before = backend.get_many(ids)
        done = backend.discard(set(ids))
    _conclude(ctx, "discarded", done, ids, before, lambda state: state is not TaskState.RUNNING)


@tasks.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@store_options
@click.pass_context
def cancel(ctx: click.Context, ids: tuple[str, ...], url: str | None, app: str | None) -> None:
    """Cancel what waits, at once; ask for it where it runs."""
    with opened(url, app) as (backend, _):
        states = backend.cancel(set(ids), by=user_at_host())
    missed = False
    for task_id in dict.fromkeys(ids):
        state = states.get(task_id)
        if state is None:
            missed = True
            click.echo(f"taskkitx: {task_id}: no such task", err=True)
        elif state is TaskState.CANCELLED:
            click.echo(f"{task_id}: cancelled")
        elif state is TaskState.RUNNING:
            click.echo(f"{task_id}: asked to cancel, it is running")
        else:
            missed = True
            click.echo(f"taskkitx: {task_id}: not cancelled, it is {state.label}", err=True)
    ctx.exit(1 if missed else 0)


def _conclude(
    ctx: click.Context,
    done_what: str,
    done: int,
    ids: Sequence[str],
    before: Mapping[str, Record],
    possible: Callable[[TaskState], bool],
) -> None:
    """Say how many it was, and for those left out why, as far as the look beforehand tells; exits 1 if any was."""
    click.echo(f"{done_what}: {done} tasks")
    wanted = list(dict.fromkeys(ids))
    if done == len(wanted):
        return
    for task_id in wanted:
        record = before.get(task_id)
        if record is None:
            click.echo(f"taskkitx: {task_id}: no such task", err=True)
        elif not possible(record.state):
            click.echo(
                f"taskkitx: {task_id}: not {done_what}, it is {record.state.label}", err=True
            )
    ctx.exit(1)


def describe(record: Record) -> dict[str, Any]:
    """A record for programs: every field of the task and what became of it; bytes as text where they are text."""
    task = record.task.to_dict()
    data = task.pop("data")
    headers = task.pop("headers")
    return {
        **task,
        "group": record.task.group,
        "state": record.state.label,
        "headers": None if headers is None else dict(headers),
        **_bytes("data", data),
        **_bytes("result", record.result),
        "error": record.error,
        "done": record.done,
        "disposable": record.disposable,
        "progress": record.progress,
        "cancel_requested": record.cancel_requested,
        "cancelled_by": record.cancelled_by,
    }


def _bytes(name: str, value: bytes | None) -> dict[str, str | None]:
    """Under `name` what is UTF-8 text (or None), under `name_base64` what is not."""
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(value).decode()}


_TIMES = ("due", "created", "scheduled", "began", "done", "disposable", "cancel_requested")


def _print_task(described: Mapping[str, Any]) -> None:
    """Line by line; fields that say nothing are left out."""
    for name, value in described.items():
        if value in (None, "", 0, {}) or name == "attempts":
            continue
        shown = moment(value) if name in _TIMES else str(value)
        if name == "error" and described["attempts"]:
            shown = _first_line(value)  # the last attempt tells the rest
        click.echo(f"{name:<16} {printable(shown or '').replace(chr(10), chr(10) + ' ' * 17)}")
    for attempt in described["attempts"]:
        click.echo(
            f"\nattempt {attempt['attempt']} {attempt['state']} at {moment(attempt['ended'])}"
            f" by {attempt['worker_id']}: {printable(attempt['kind'])}: {printable(attempt['message'])}"
        )
        if attempt["trace"]:
            click.echo(printable(attempt["trace"].rstrip()))


def _first_line(text: str | None) -> str | None:
    """What an error begins with: the exception and its message."""
    return None if text is None else text.partition("\n")[0][:100]
