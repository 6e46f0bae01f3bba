"""What `taskkitx worker` and `taskkitx check` are told alike: which application, how many, with which limits."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from taskkitx.cli.store import refuse_memory

if TYPE_CHECKING:
    from taskkitx.cli.target import CommandTarget

_Command = TypeVar("_Command", bound=Callable[..., Any])


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


_OPTIONS = (
    click.option(
        "--app",
        required=True,
        metavar="MODULE:KIT",
        help="The application, such as shop.tasks:kit.",
    ),
    click.option("-p", "--processes", default=1, show_default=True, help="Worker processes."),
    click.option(
        "-t",
        "--threads",
        "groups",
        metavar="GROUP=THREADS",
        multiple=True,
        callback=_by_group,
        help="Threads of one group in each process; once for each group. "
        "Default: what a Queue says of its groups, else default=8.",
    ),
    click.option(
        "--url", metavar="URL", help="The store, for an application that names none itself."
    ),
    click.option(
        "--drain-timeout", type=float, help="Seconds a stop waits for tasks; 0: for ever."
    ),
    click.option("--lease-ttl", type=float, help="Seconds a silent worker is believed alive."),
    click.option(
        "--boot-timeout", type=float, help="Seconds a new process may take until it is ready."
    ),
    click.option(
        "--hang-timeout", type=float, help="Seconds a worker may be silent until it is replaced."
    ),
    click.option(
        "--condemn-grace",
        type=float,
        help="Seconds the other tasks of a process have when one outlived its timeout.",
    ),
    click.option("--poll-interval", type=float, help="Seconds of the poll of last resort."),
    click.option(
        "--prefetch", type=int, help="Most claimed, unstarted tasks per group and process."
    ),
    click.option("--max-tasks", type=int, help="Replace a worker after that many tasks."),
    click.option("--max-age", type=float, help="Replace a worker after that many seconds."),
    click.option(
        "--max-rss",
        metavar="BYTES",
        callback=_bytes,
        help="Replace a worker beyond that much memory, such as 200M.",
    ),
)


def worker_options(command: _Command) -> _Command:
    """The options, as `app`, `processes`, `groups`, `url` and the fields of the settings."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_target(app: str, url: str | None) -> "CommandTarget":
    """What the workers run; `url` becomes the default of every kit the application makes."""
    from taskkitx.cli.target import CommandTarget

    if url is None:
        return CommandTarget(app)
    from taskkitx.backends.connect import connect

    backend, _ = connect(url)
    refuse_memory(backend.url)
    os.environ["TASKKITX_URL"] = url
    return CommandTarget(app, url)
