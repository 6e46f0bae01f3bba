"""Commands to a whole store: pause, resume, purge, migrate; and a probe of the supervisor on this machine."""

import click

from taskkitx.cli.options import json_option, open_store, store_options
from taskkitx.cli.output import print_json

PURGE_PAGE = 1000


@click.command()
@store_options
@click.argument("groups", nargs=-1)
def pause(url: str | None, app: str | None, groups: tuple[str, ...]) -> None:
    """Claim nothing more for these groups (none named: all), until resumed."""
    backend, bridge = open_store(url, app)
    backend.pause(groups or None)
    bridge.send_event({"name": "pause", "groups": list(groups) or None})
    click.echo(f"paused: {', '.join(groups) or 'all groups'}")


@click.command()
@store_options
@click.argument("groups", nargs=-1)
def resume(url: str | None, app: str | None, groups: tuple[str, ...]) -> None:
    """Undo `pause`."""
    backend, bridge = open_store(url, app)
    backend.resume(groups or None)
    bridge.send_event({"name": "resume", "groups": list(groups) or None})
    click.echo(f"resumed: {', '.join(groups) or 'all groups'}")


@click.command()
@store_options
def purge(url: str | None, app: str | None) -> None:
    """Delete the finished tasks whose ttl has passed, now."""
    backend, _ = open_store(url, app)
    total = 0
    while page := backend.purge(PURGE_PAGE):
        total += page
    click.echo(f"purged: {total}")


@click.command()
@store_options
@click.option("--sql", is_flag=True, help="Print the statements instead of running them.")
def migrate(url: str | None, app: str | None, sql: bool) -> None:
    """Bring the store's schema up to date."""
    if sql:
        from taskkitx.backends.sql.migrate import statements

        click.echo(statements())
        return
    from taskkitx.backends.connect import connect
    from taskkitx.settings import default_url

    backend = open_store(None, app)[0] if app else connect(url or default_url())[0]
    backend.open()
    click.echo("the schema is up to date")


@click.command()
@click.option("--instance", metavar="NAME", help="Which supervisor, if several run here.")
@json_option
def health(instance: str | None, as_json: bool) -> None:
    """Ask the supervisor on this machine how it is; exit code 1 when it does not answer."""
    from taskkitx.supervisor.control import ask

    try:
        answer = ask(instance)
    except LookupError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(answer)
    else:
        click.echo(
            ", ".join(
                f"{name} {value}"
                for name, value in answer.items()
                if not isinstance(value, dict | list)
            )
        )
