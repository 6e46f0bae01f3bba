"""`taskkitx worker`: check what was asked for, say it, and become the supervisor."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from taskkitx.cli.store import refuse_memory, without_password

if TYPE_CHECKING:
    from taskkitx.settings import Settings
    from taskkitx.supervisor.plan import Plan


def _by_group(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Mapping[str, int]:
    """Threads by group; whether a worker can run that many is the plan's business."""
    groups: dict[str, int] = {}
    for value in values:
        group, _equals, threads = value.rpartition("=")
        try:
            count = int(threads)
        except ValueError:
            count = None
        if not group or count is None:
            raise click.BadParameter(f"{value!r} is not of the form GROUP=THREADS, such as mail=4")
        if group in groups:
            raise click.BadParameter(f"the group {group!r} is named twice")
        groups[group] = count
    return groups


def _bytes(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A number of bytes, with K, M or G for the powers of 1024."""
    if value is None:
        return None
    power = "KMG".find(value[-1:].upper()) + 1 if value else 0
    try:
        return int(value[:-1] if power else value) << 10 * power
    except ValueError:
        raise click.BadParameter(f"{value!r} is no number of bytes, such as 200M") from None


@click.command()
@click.option(
    "--app", required=True, metavar="MODULE:KIT", help="The application, such as shop.tasks:kit."
)
@click.option("-p", "--processes", default=1, show_default=True, help="Worker processes.")
@click.option(
    "-t",
    "--threads",
    "groups",
    metavar="GROUP=THREADS",
    multiple=True,
    default=["default=8"],
    show_default=True,
    callback=_by_group,
    help="Threads of one group in each process; once for each group.",
)
@click.option("--url", metavar="URL", help="The store, for an application that names none itself.")
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
@click.option("--drain-timeout", type=float, help="Seconds a stop waits for tasks; 0: for ever.")
@click.option("--lease-ttl", type=float, help="Seconds a silent worker is believed alive.")
@click.option("--poll-interval", type=float, help="Seconds of the poll of last resort.")
@click.option("--prefetch", type=int, help="Most claimed, unstarted tasks per group and process.")
@click.option("--max-tasks", type=int, help="Replace a worker after that many tasks.")
@click.option("--max-age", type=float, help="Replace a worker after that many seconds.")
@click.option(
    "--max-rss",
    metavar="BYTES",
    callback=_bytes,
    help="Replace a worker beyond that much memory, such as 200M.",
)
@click.option("--log-format", help="text or json.")
@click.option("--log-level", help="The least urgent lines that are written.")
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
    **tuning: Any,
) -> None:
    """Run worker processes until SIGTERM or Ctrl-C, which let running tasks finish; a second one is fast.

    Every setting can also be given as TASKKITX_<NAME>, such as TASKKITX_LEASE_TTL.
    """
    from taskkitx import log
    from taskkitx.settings import Settings
    from taskkitx.supervisor.plan import Plan
    from taskkitx.supervisor.supervisor import supervise

    settings = Settings.from_environment(**tuning)
    plan = Plan(
        processes=processes,
        groups=groups,
        instance=instance,
        helper_services=not no_helpers,
        require_store=require_store,
        owns_process=True,
        strict_fork=True,
    )
    target = _target(app, url)
    log.configure(format=settings.log_format, level=settings.log_level)
    _print_banner(app, url, plan, settings)
    ctx.exit(supervise(target, plan, settings))


def _target(app: str, url: str | None) -> Any:
    """What the workers run; `url` becomes the default of every kit the application makes."""
    from taskkitx.cli.target import CommandTarget

    if url is None:
        return CommandTarget(app)
    from taskkitx.backends.connect import connect

    backend, _ = connect(url)
    refuse_memory(backend.url)
    os.environ["TASKKITX_URL"] = url
    return CommandTarget(app, url)


def _print_banner(app: str, url: str | None, plan: "Plan", settings: "Settings") -> None:
    """For people; programs read the log's JSON. An application's own store is only known once a worker loaded it."""
    if settings.log_format != "text":
        return
    import taskkitx
    from taskkitx.supervisor.plan import describe_groups

    store = without_password(url) if url else "the application's (logged when it is loaded)"
    total = sum(plan.groups.values())
    click.echo(
        f"taskkitx {taskkitx.__version__}\n"
        f"  app        {app}\n"
        f"  store      {store}\n"
        f"  groups     {describe_groups(plan.groups)}\n"
        f"  processes  {plan.processes} ({total} threads each)",
        err=True,
    )
