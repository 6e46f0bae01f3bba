"""`taskkitx worker`: check what was asked for, say it, and become the supervisor."""

import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from taskkitx.cli.options import make_target, worker_options
from taskkitx.cli.store import without_password

if TYPE_CHECKING:
    from taskkitx.settings import Settings
    from taskkitx.supervisor.plan import Plan


@click.command()
@worker_options
@click.option(
    "--instance", default="", help="A name that no second supervisor on this machine may have."
)
@click.option(
    "--no-helpers",
    is_flag=True,
    help="Leave schedules, retention and other hosts' dead workers to other supervisors.",
)
@click.option(
    "--require-store", is_flag=True, help="End with 75 instead of waiting for an absent store."
)
@click.option("--log-format", help="text or json.")
@click.option("--log-level", help="The least urgent lines that are written.")
@click.option("--reload", is_flag=True, help="For development: new workers when code changes.")
@click.option(
    "--reload-dir",
    "reload_dirs",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Watch this folder instead of the working directory; may be repeated.",
)
@click.pass_context
def worker(
    ctx: click.Context,
    /,
    app: str,
    processes: int,
    groups: Mapping[str, int],
    url: str | None,
    instance: str,
    no_helpers: bool,
    require_store: bool,
    reload: bool,
    reload_dirs: tuple[str, ...],
    **tuning: Any,
) -> None:
    """Run worker processes until SIGTERM or Ctrl-C, which let running tasks finish; a second one is fast.

    Every setting can also be given as TASKKITX_<NAME>, such as TASKKITX_LEASE_TTL.
    """
    _leave_when_told()
    from taskkitx import log
    from taskkitx.settings import Settings
    from taskkitx.supervisor.plan import Plan
    from taskkitx.supervisor.supervisor import supervise

    settings = Settings.from_environment(**tuning)
    plan = Plan(
        processes=processes,
        groups=groups or {"default": 8},
        groups_by_app=not groups,
        instance=instance,
        helper_services=not no_helpers,
        require_store=require_store,
        owns_process=True,
        strict_fork=True,
        reload=reload_dirs or ((os.getcwd(),) if reload else ()),
    )
    target = make_target(app, url)
    log.configure(format=settings.log_format, level=settings.log_level)
    _print_banner(app, url, plan, settings)
    ctx.exit(supervise(target, plan, settings))


def _leave_when_told() -> None:
    """Until the supervisor has its own handlers, which takes some imports: nothing has begun that must end first."""

    def leave(_: int, __: object) -> None:
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def _print_banner(app: str, url: str | None, plan: "Plan", settings: "Settings") -> None:
    """For people; programs read the log's JSON. An application's own store is only known once a worker loaded it."""
    if settings.log_format != "text":
        return
    import taskkitx
    from taskkitx.supervisor.plan import describe_groups

    store = without_password(url) if url else "the application's (logged when it is loaded)"
    total = sum(plan.groups.values())
    groups = describe_groups(plan.groups)
    if plan.groups_by_app:
        groups, total = f"the application's, else {groups}", 0
    threads = f" ({total} threads each)" if total else ""
    click.echo(
        f"taskkitx {taskkitx.__version__}\n"
        f"  app        {app}\n"
        f"  store      {store}\n"
        f"  groups     {groups}\n"
        f"  processes  {plan.processes}{threads}",
        err=True,
    )
