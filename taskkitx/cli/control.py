"""Commands on a whole store: pause, resume, purge, migrate; and a probe of this machine's supervisor."""

from collections.abc import Mapping
from typing import Any

import click

from taskkitx.cli.output import print_json, printable
from taskkitx.cli.store import chosen, opened, store_options, without_password
from taskkitx.errors import ConfigurationError

_DIALECTS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
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


def _statements(url: str | None, app: str | None) -> str:
    from taskkitx.backends.sql.migrate import statements

    backend, _ = chosen(url, app)
    scheme = backend.url.partition(":")[0].partition("+")[0]
    dialect = _DIALECTS.get(scheme)
    if dialect is None:
        raise ConfigurationError(f"a {scheme} store has no tables, so there are no SQL statements")
    return statements(dialect)


@click.command()
@click.option("--instance", metavar="NAME", help="Which supervisor, when several run here.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def health(ctx: click.Context, /, instance: str | None, as_json: bool) -> None:
    """Ask the supervisor on this machine how it is; 1 when it is not healthy or does not answer.

    Neither the store nor the application is touched.
    """
    from taskkitx.supervisor.control import ask

    try:
        answer = ask(instance)
    except LookupError as error:
        click.echo(f"taskkitx: {printable(str(error))}", err=True)
        ctx.exit(1)
    if as_json:
        print_json(answer)
    else:
        click.echo(_in_words(answer))
    ctx.exit(0 if answer.get("healthy") else 1)


def _in_words(answer: Mapping[str, Any]) -> str:
    state = answer.get("stopping") or ("healthy" if answer.get("healthy") else "not healthy")
    workers: list[Mapping[str, Any]] = answer.get("workers") or []
    lines = [f"supervisor {answer.get('pid')} ({answer.get('instance')}): {state}"]
    lines += [
        f"  {worker.get('role')} {worker.get('pid')}: {worker.get('state')}, "
        f"{len(worker.get('running') or [])} running, {worker.get('finished')} finished"
        for worker in workers
    ]
    return printable("\n".join(lines))
