"""What commands print: JSON for programs, tables for people, one line for errors."""

import json
from collections.abc import Iterable, Sequence

import click

from taskkitx.errors import ConfigurationError, StoreError, TaskkitxError

_PIPED_WIDTH = 240
"""Columns where there is no terminal: ids stay whole for whoever greps them."""


def exit_code(error: TaskkitxError) -> int:
    """As sysexits has them: 78 the configuration, 75 the store; 1 anything else."""
    if isinstance(error, ConfigurationError):
        return 78
    return 75 if isinstance(error, StoreError) else 1


def one_line(error: TaskkitxError) -> str:
    """The message, whatever line breaks it holds."""
    return printable(" ".join(str(error).split()) or type(error).__name__)


def printable(text: str) -> str:
    """The text with control characters spelled out: what a task says must not drive anybody's terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )


def print_json(value: object) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table with a title, or only the title when there are no rows; numbers are set right, None is a dash."""
    found = list(rows)
    if not found:
        click.echo(f"{title}: none")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in found:
        # Text, because a str would be read as markup.
        table.add_row(
            *(
                Text(_cell(value), justify="right" if isinstance(value, int | float) else "left")
                for value in row
            )
        )
    console.print(table)


def _cell(value: object) -> str:
    return "-" if value is None else printable(str(value))


def duration(seconds: float | None) -> str | None:
    """Seconds as people say them: 0.3s, 12s, 5m20s, 3h10m, 2d4h."""
    if seconds is None:
        return None
    if abs(seconds) < 10:
        return f"{seconds:.1f}s"
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            return f"{sign}{whole // size}{unit}{whole % size // smaller_size}{smaller}"
    return f"{sign}{whole}s"


def moment(timestamp: float | None) -> str | None:
    """UNIX seconds as local time with its zone."""
    if timestamp is None:
        return None
    from taskkitx.clock import as_datetime

    try:
        return as_datetime(timestamp).astimezone().isoformat(sep=" ", timespec="milliseconds")
    except (OverflowError, ValueError, OSError):  # beyond the calendar
        return f"{timestamp:.0f}"
