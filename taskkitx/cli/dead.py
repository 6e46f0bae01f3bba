"""`taskkitx dead`: tasks that have failed for good: look at them, run them again, throw them away."""

import click

from taskkitx.backend import Backend
from taskkitx.cli.output import duration, print_json, print_table
from taskkitx.cli.store import opened, store_options
from taskkitx.cli.tasks import describe, show
from taskkitx.record import Record

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _age(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Seconds of 45, 45s, 30m, 12h or 7d."""
    if value is None:
        return None
    number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "s")
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e12:
        raise click.BadParameter(f"{value!r} is no age, such as 45s, 30m, 12h or 7d")
    return seconds


_group = click.option("--group", help="Only of this group.")
_name = click.option("--name", help="Only of this name.")
_older_than = click.option(
    "--older-than", metavar="AGE", callback=_age, help="Only those that failed longer ago: 12h, 7d."
)
_all = click.option("--all", "everything", is_flag=True, help="Without any of these limits.")


@click.group()
def dead() -> None:
    """List, show, replay and purge tasks that have failed for good."""


dead.add_command(show)


@dead.command("list")
@store_options
@_group
@_name
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Go on below this id: the last of the page before.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(
    url: str | None,
    app: str | None,
    group: str | None,
    name: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List failed tasks, newest first."""
    from taskkitx.app.dead import failed

    with opened(url, app) as (backend, _):
        records = backend.list_tasks(failed(backend, group, name), limit=limit, after=after)
        now = backend.now()
    if as_json:
        print_json([describe(record) for record in records])
        return
    print_table(
        "Dead letters",
        ["id", "name", "attempts", "failed", "error"],
        (_row(record, now) for record in records),
    )
    if len(records) == limit:
        click.echo(f"\nmore: --after {records[-1].task.id}")


def _row(record: Record, now: float) -> list[object]:
    ago = None if record.done is None else f"{duration(now - record.done)} ago"
    error = (record.error or "").partition("\n")[0]
    return [record.task.id, record.task.name, record.task.attempt, ago, error or None]


@dead.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@store_options
@_group
@_name
@_older_than
@_all
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    ids: tuple[str, ...],
    url: str | None,
    app: str | None,
    group: str | None,
    name: str | None,
    older_than: float | None,
    everything: bool,
) -> None:
    """Queue failed tasks again: these ids, or all that the options leave; their history is kept."""
    from taskkitx.app import dead as letters

    limited = _is_limited(group, name, older_than, everything)
    if bool(ids) is limited:
        raise click.UsageError("give ids, or --group, --name, --older-than or --all")
    with opened(url, app) as (backend, _):
        if ids:
            done = letters.replay(backend, set(ids))
            _name_the_others(backend, ids, done)
        else:
            done = letters.replay_all(backend, letters.failed(backend, group, name, older_than))
    click.echo(f"replayed: {done} tasks")
    ctx.exit(1 if ids and done < len(set(ids)) else 0)


def _name_the_others(backend: Backend, ids: tuple[str, ...], done: int) -> None:
    """Say of ids that were left out that they are no dead letters, as far as a look afterwards tells."""
    from taskkitx.task import TaskState

    if done == len(set(ids)):
        return
    records = backend.get_many(set(ids))
    for task_id in dict.fromkeys(ids):
        record = records.get(task_id)
        if record is None:
            click.echo(f"taskkitx: {task_id}: no such task", err=True)
        elif record.state not in (TaskState.QUEUED, TaskState.RUNNING):
            click.echo(f"taskkitx: {task_id}: not replayed, it is {record.state.label}", err=True)


@dead.command()
@store_options
@_group
@_name
@_older_than
@_all
def purge(
    url: str | None,
    app: str | None,
    group: str | None,
    name: str | None,
    older_than: float | None,
    everything: bool,
) -> None:
    """Delete failed tasks, with their history."""
    from taskkitx.app import dead as letters

    if not _is_limited(group, name, older_than, everything):
        raise click.UsageError("give --group, --name, --older-than or --all")
    with opened(url, app) as (backend, _):
        done = letters.purge(backend, letters.failed(backend, group, name, older_than))
    click.echo(f"purged: {done} tasks")


def _is_limited(
    group: str | None, name: str | None, older_than: float | None, everything: bool
) -> bool:
    limits = [group is not None, name is not None, older_than is not None]
    if everything and any(limits):
        raise click.UsageError("--all takes no other limit beside it")
    return everything or any(limits)
