"""The command line: `taskkitx worker` runs tasks, everything else looks at a store or tells it something.

Only click is imported here; a command's module when it is typed: a probe must answer before its own timeout.
"""

from importlib import import_module

import click

import taskkitx
from taskkitx.errors import TaskkitxError

_COMMANDS = {
    "worker": "worker",
    "check": "check",
    "health": "health",
    "status": "status",
    "tasks": "tasks",
    "dead": "dead",
    "schedules": "schedules",
    "pause": "control",
    "resume": "control",
    "purge": "control",
    "migrate": "control",
}
"""Where each command lives."""


class _Commands(click.Group):
    """Commands whose errors are one line for a person, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order people meet them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one that is asked for."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"taskkitx.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse bytes that are no text in this locale: no store can look for them."""
        for argument in args:
            try:
                argument.encode()
            except UnicodeEncodeError:
                raise click.UsageError(f"the argument {argument!a} is not valid text") from None
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what taskkitx raises becomes `taskkitx: ...` and an exit code."""
        try:
            return super().invoke(ctx)
        except TaskkitxError as error:
            from taskkitx.cli.output import exit_code, one_line

            click.echo(f"taskkitx: {one_line(error)}", err=True)
            ctx.exit(exit_code(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(taskkitx.__version__, prog_name="taskkitx")
def main() -> None:
    """A task queue for Python: processes times threads, coordinated by a store you already run.

    The store is --url, else TASKKITX_URL, else sqlite:///taskkitx.db in the working directory.

    Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 75 the store cannot do it now, 78 the configuration must
    change first, 124 tasks had to be killed at the end of a worker's drain timeout.
    """
