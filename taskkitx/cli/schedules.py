"""`taskkitx schedules`: when entries fire next, and telling them not to, or to fire now."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import click

from taskkitx.backend import Backend
from taskkitx.cli.output import print_json, print_table
from taskkitx.cli.store import opened, store_options

if TYPE_CHECKING:
    from taskkitx.worker.schedule_commands import Listed
    from taskkitx.worker.schedule_state import Coming

_in_scheduler = click.option(
    "--scheduler", metavar="NAME", help="Which scheduler's entry, when several have the key."
)


@click.group()
def schedules() -> None:
    """Look at schedule entries, pause, resume and trigger them.

    The store knows the entries of every scheduler that ran on it; --app shows those of an application, too.
    """


@schedules.command("list")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(url: str | None, app: str | None, as_json: bool) -> None:
    """Show each entry's next three firings in its zone and in UTC, its last one, and its policies."""
    with _entries(url, app) as (backend, entries):
        now = backend.now()
    if as_json:
        print_json({"schedules": [_described(entry, now) for entry in entries]})
        return
    print_table(
        "Schedules",
        [
            "scheduler",
            "key",
            "task",
            "schedule",
            "next in its zone",
            "next in UTC",
            "last in UTC",
            "policy",
            "",
        ],
        (_row(_described(entry, now)) for entry in entries),
    )


@schedules.command()
@click.argument("key")
@_in_scheduler
@store_options
def pause(key: str, scheduler: str | None, url: str | None, app: str | None) -> None:
    """Let an entry's instants pass without firing, until resumed."""
    _set_paused(key, scheduler, url, app, paused=True)


@schedules.command()
@click.argument("key")
@_in_scheduler
@store_options
def resume(key: str, scheduler: str | None, url: str | None, app: str | None) -> None:
    """Undo pause; what passed meanwhile is not made up for."""
    _set_paused(key, scheduler, url, app, paused=False)


def _set_paused(
    key: str, scheduler: str | None, url: str | None, app: str | None, *, paused: bool
) -> None:
    from taskkitx.worker.schedule_commands import find_entry, pause_entry

    with _entries(url, app) as (backend, entries):
        entry = find_entry(entries, key, scheduler)
        pause_entry(backend, entry, paused=paused)
    click.echo(f"{'paused' if paused else 'resumed'}: {entry.key} of {entry.scheduler}")


@schedules.command()
@click.argument("key")
@_in_scheduler
@store_options
@click.pass_context
def trigger(
    ctx: click.Context, /, key: str, scheduler: str | None, url: str | None, app: str | None
) -> None:
    """Put an entry's task now, whatever its schedule says. An overlap policy holds: 1 when it stands in the way."""
    from taskkitx.worker.schedule_commands import find_entry, trigger_entry

    with _entries(url, app) as (backend, entries):
        put = trigger_entry(backend, find_entry(entries, key, scheduler))
    if not put.created:
        click.echo(f"taskkitx: {key}: not put, its task {put.id} has not finished", err=True)
        ctx.exit(1)
    click.echo(put.id)


@contextmanager
def _entries(url: str | None, app: str | None) -> Generator[tuple[Backend, "list[Listed]"]]:
    from taskkitx.worker.schedule_commands import list_entries

    with opened(url, app) as (backend, _):
        kit = _imported(app)
        own = getattr(kit, "schedule_entries", None)
        yield backend, list_entries(backend, own, getattr(kit, "tzinfo", None))


def _imported(app: str | None) -> object:
    if app is None:
        return None
    from taskkitx.supervisor.target import import_app

    return import_app(app)


def _described(entry: "Listed", now: float) -> dict[str, Any]:
    """For programs."""
    definition, record = entry.definition, entry.record
    return {
        "scheduler": entry.scheduler,
        "key": entry.key,
        "group": definition.group,
        "name": definition.name,
        "schedule": definition.schedule,
        "zone": definition.zone,
        "next": [
            {"timestamp": coming.instant, "local": _local(coming), "utc": _utc(coming.instant)}
            for coming in record.upcoming
        ],
        "last": None
        if record.fired is None
        else {"timestamp": record.fired, "utc": _utc(record.fired)},
        "policy": {
            name: getattr(definition, name)
            for name in ("missed", "look_back", "overlap", "gap", "fold")
        },
        "paused": record.paused,
        "served": entry.is_served(now),
    }


def _row(entry: dict[str, Any]) -> list[object]:
    policy = [
        f"{value}" if name == "missed" else f"{name} {value}"
        for name, value in entry["policy"].items()
        if value is not None
    ]
    state = "paused" if entry["paused"] else "" if entry["served"] else "no scheduler runs"
    return [
        entry["scheduler"],
        entry["key"],
        f"{entry['group']}: {entry['name']}",
        f"{entry['schedule']}\n{entry['zone']}",
        "\n".join(coming["local"] for coming in entry["next"]) or None,
        "\n".join(coming["utc"] for coming in entry["next"]) or None,
        entry["last"] and entry["last"]["utc"],
        "\n".join(policy),
        state,
    ]


def _utc(instant: float) -> str:
    from taskkitx.clock import as_datetime

    return as_datetime(instant).replace(tzinfo=None).isoformat(sep=" ") + "Z"


def _local(coming: "Coming") -> str:
    from taskkitx.clock import as_datetime

    zone = timezone(timedelta(seconds=coming.offset))
    return as_datetime(coming.instant).astimezone(zone).isoformat(sep=" ")
