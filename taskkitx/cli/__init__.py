"""The command line: `taskkitx worker` runs tasks, everything else looks at a store or tells it something.

Only click is imported here; what a command needs besides, it imports when it runs.
"""

import click

import taskkitx
from taskkitx.cli.control import health, migrate, pause, purge, resume
from taskkitx.cli.output import exit_code, one_line
from taskkitx.cli.status import status
from taskkitx.cli.tasks import tasks
from taskkitx.cli.worker import worker
from taskkitx.errors import TaskkitxError


class _Commands(click.Group):
    """Commands whose errors are one line for a person, never a traceback."""

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


for _command in (worker, status, tasks, pause, resume, purge, migrate, health):
    main.add_command(_command)
