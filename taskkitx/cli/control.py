"""Commands on a whole store: pause, resume, purge, migrate."""

from typing import Protocol, runtime_checkable

import click

from taskkitx.cli.store import chosen, opened, store_options, without_password
from taskkitx.errors import ConfigurationError

_PAGE = 1000


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@store_options
def pause(groups: tuple[str, ...], url: str | None, app: str | None) -> None:
    """Claim nothing more for these groups (none named: all) until resumed; running tasks go on."""
    names = _checked(groups)
    with opened(url, app) as (backend, bridge):
        backend.pause(names)
        bridge.send_event({"name": "pause", "groups": names})
    click.echo(f"paused: {_described(names)}")


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@store_options
def resume(groups: tuple[str, ...], url: str | None, app: str | None) -> None:
    """Undo pause, for these groups (none named: all)."""
    names = _checked(groups)
    with opened(url, app) as (backend, bridge):
        backend.resume(names)
        bridge.send_event({"name": "resume", "groups": names})
    click.echo(f"resumed: {_described(names)}")


def _checked(groups: tuple[str, ...]) -> list[str] | None:
    from taskkitx.ids import check_group

    return sorted({check_group(group) for group in groups}) or None


def _described(groups: list[str] | None) -> str:
    return "all groups" if groups is None else ", ".join(groups)


@click.command()
@store_options
def purge(url: str | None, app: str | None) -> None:
    """Delete finished tasks whose ttl has passed. Workers do so by themselves, a bit at a time."""
    purged = 0
    with opened(url, app) as (backend, _):
        while deleted := backend.purge(_PAGE):
            purged += deleted
    click.echo(f"purged: {purged} tasks")


@click.command()
@store_options
@click.option("--sql", is_flag=True, help="Print the statements of all revisions, change nothing.")
def migrate(url: str | None, app: str | None, sql: bool) -> None:
    """Make the store's tables, or bring them up to this version."""
    if sql:
        click.echo(_statements(url, app))
        return
    with opened(url, app, create=True) as (backend, _):
        store = without_password(backend.url)
    click.echo(f"ready for this version: {store}")


@runtime_checkable
class WithTables(Protocol):
    """A backend on SQL."""

    def ddl(self) -> str:
        """The statements of all revisions."""
        ...


def _statements(url: str | None, app: str | None) -> str:
    backend, _ = chosen(url, app)
    if not isinstance(backend, WithTables):
        scheme = backend.url.partition(":")[0]
        raise ConfigurationError(f"a {scheme} store has no tables, so there are no SQL statements")
    return backend.ddl()
