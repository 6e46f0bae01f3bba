"""`taskkitx check`: what would go wrong with `taskkitx worker` and the same options, said before it does."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from taskkitx.cli.options import make_target, worker_options
from taskkitx.cli.store import check_file, sqlite_path, without_password
from taskkitx.errors import ConfigurationError

if TYPE_CHECKING:
    from taskkitx.backend import Backend
    from taskkitx.cli.findings import Finding


@click.command()
@worker_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    app: str,
    processes: int,
    groups: Mapping[str, int],
    url: str | None,
    as_json: bool,
    **tuning: Any,
) -> None:
    """Say what is wrong with the application, its store and these options; give it the options of your workers.

    Nothing is run and nothing is changed. Exits with 0 when nothing is wrong, 1 when something should be changed, 75
    when the store cannot be reached, 78 when a worker could not even start.
    """
    from taskkitx.cli.findings import Setup, find
    from taskkitx.settings import Settings
    from taskkitx.supervisor.plan import Plan

    settings = Settings.from_environment(**tuning)
    plan = Plan(
        processes=processes,
        groups=groups or {"default": 8},
        groups_by_app=not groups,
        owns_process=True,
    )
    loaded = make_target(app, url).load()
    plan = plan.for_app(loaded.groups)
    exists, found = _opened(loaded.backend)
    try:
        findings = found + find(Setup(loaded.backend, loaded.handler, plan, settings, exists))
    finally:
        loaded.backend.close()
    _print(app, without_password(loaded.backend.url), findings, exists, as_json)
    ctx.exit(1 if findings else 0)


def _print(
    app: str, store: str, findings: "Sequence[Finding]", exists: bool, as_json: bool
) -> None:
    if as_json:
        from taskkitx.cli.output import print_json

        print_json({"app": app, "store": store, "findings": [asdict(f) for f in findings]})
        return
    for finding in findings:
        click.echo(f"{finding.about:<10} {finding.text}")
    made = "" if exists else ", which the first worker will make"
    click.echo(f"{len(findings) or 'nothing'} to change: {app} on {store}{made}")


def _opened(backend: "Backend") -> "tuple[bool, list[Finding]]":
    """Whether the store is there, neither made nor upgraded; raises what a worker's start would end with."""
    from taskkitx.cli.findings import Finding

    path = sqlite_path(backend.url)
    if path is not None:
        from taskkitx.backends.sql.sqlite_file import check_path

        check_path(path, force=backend.url.endswith("?force=1"))
        if not os.path.exists(path):
            return False, []
        check_file(path)
    open_existing: Callable[[], None] = getattr(backend, "open_existing", backend.open)
    try:
        open_existing()
    except ConfigurationError as error:
        return False, [Finding("store", str(error))]
    return True, []
