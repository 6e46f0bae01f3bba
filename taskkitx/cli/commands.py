"""All commands under one name, and the one place where an error becomes a line and an exit code."""

import sys

import click

from taskkitx import __version__
from taskkitx.cli.control import health, migrate, pause, purge, resume
from taskkitx.cli.status import status
from taskkitx.cli.tasks import tasks
from taskkitx.cli.worker import worker
from taskkitx.errors import ConfigurationError, StoreUnavailable, TaskkitxError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taskkitx")
def cli() -> None:
    """A task queue: run workers, look at tasks, and tell them what to do."""


for _command in (worker, status, tasks, pause, resume, purge, migrate, health):
    cli.add_command(_command)


def main() -> None:
    """Run the command line; every error of ours is one line on stderr and an exit code (sysexits.h)."""
    try:
        cli()
    except TaskkitxError as error:
        click.echo(f"taskkitx: {error}", err=True)
        sys.exit(_exit_code(error))


def _exit_code(error: TaskkitxError) -> int:
    if isinstance(error, ConfigurationError):
        return 78
    return 75 if isinstance(error, StoreUnavailable) else 1
