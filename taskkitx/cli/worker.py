"""`taskkitx worker`: a supervisor and its worker processes."""

import sys

import click

from taskkitx.errors import ConfigurationError


@click.command()
@click.option(
    "--app",
    required=True,
    metavar="MODULE:ATTR",
    help="The application's Kit, such as shop.tasks:kit.",
)
@click.option("-p", "--processes", type=int, default=1, show_default=True, help="Worker processes.")
@click.option(
    "-t",
    "--threads",
    multiple=True,
    metavar="GROUP=N",
    help="Threads of a group in each process; default: default=8.",
)
@click.option(
    "--url", metavar="URL", help="The store, when the application leaves it to TASKKITX_URL."
)
@click.option(
    "--instance",
    default="",
    metavar="NAME",
    help="A name no second supervisor on this machine may carry.",
)
@click.option(
    "--lease-ttl", type=float, metavar="S", help="How long a silent worker is believed alive."
)
@click.option(
    "--drain-timeout", type=float, metavar="S", help="How long a stop waits for running tasks."
)
@click.option("--max-tasks", type=int, metavar="N", help="Replace a worker after that many tasks.")
@click.option("--max-age", type=float, metavar="S", help="Replace a worker after that long.")
@click.option(
    "--max-rss", metavar="BYTES", help="Replace a worker above that memory, such as 200M."
)
@click.option(
    "--no-helpers", is_flag=True, help="Leave schedules, retention and other hosts' dead to others."
)
def worker(
    app: str,
    processes: int,
    threads: tuple[str, ...],
    url: str | None,
    instance: str,
    lease_ttl: float | None,
    drain_timeout: float | None,
    max_tasks: int | None,
    max_age: float | None,
    max_rss: str | None,
    no_helpers: bool,
) -> None:
    """Run worker processes under a supervisor, until SIGTERM or Ctrl-C."""
    import os

    from taskkitx import __version__, log
    from taskkitx.settings import Settings, default_url
    from taskkitx.supervisor.plan import Plan
    from taskkitx.supervisor.supervisor import supervise
    from taskkitx.supervisor.target import AppTarget

    settings = Settings.from_environment(
        lease_ttl=lease_ttl,
        drain_timeout=drain_timeout,
        max_tasks=max_tasks,
        max_age=max_age,
        max_rss=None if max_rss is None else _bytes(max_rss),
    )
    plan = Plan(
        processes=processes,
        groups=parse_threads(threads),
        instance=instance,
        helper_services=not no_helpers,
        owns_process=True,
    )
    target = AppTarget(app)
    if url is not None:
        os.environ["TASKKITX_URL"] = url  # the application reads it where it makes its kit
    groups = ", ".join(f"{group} x {count}" for group, count in plan.groups.items())
    click.echo(
        f"taskkitx {__version__}: {app} on {_shown(default_url())} (unless the app names another store)\n"
        f"{plan.processes} processes, each with threads for {groups}; Ctrl-C or SIGTERM stops",
        err=True,
    )
    log.configure(format=settings.log_format, level=settings.log_level)
    sys.exit(supervise(target, plan, settings))


def parse_threads(threads: tuple[str, ...]) -> dict[str, int]:
    """Threads by group from `GROUP=N`; raises ConfigurationError naming what cannot be read."""
    groups: dict[str, int] = {}
    for item in threads or ("default=8",):
        group, _, count = item.rpartition("=")
        if not group or not count.lstrip("-").isdigit():
            raise ConfigurationError(f"-t {item!r} is not of the form GROUP=N, such as default=8")
        if group in groups:
            raise ConfigurationError(f"-t names the group {group!r} twice")
        groups[group] = int(count)
    return groups


def _bytes(text: str) -> int:
    factors = {"K": 1024, "M": 1024**2, "G": 1024**3}
    number, factor = text, 1
    if text[-1:].upper() in factors:
        number, factor = text[:-1], factors[text[-1].upper()]
    try:
        return int(float(number) * factor)
    except ValueError:
        raise ConfigurationError(
            f"--max-rss {text!r} is no number of bytes, such as 200M"
        ) from None


def _shown(url: str) -> str:
    """A URL without its password."""
    head, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{head}{separator}{credentials.partition(':')[0]}{at}{host}"
