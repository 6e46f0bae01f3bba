"""Tables and JSON, and how times and durations are shown to people."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click


def print_json(value: object) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """One fact a line; those of several lines last."""
    short = {name: value for name, value in facts.items() if "\n" not in str(value)}
    width = max(map(len, short), default=0)
    for name, value in short.items():
        click.echo(f"{name:<{width}}  {'' if value is None else value}")
    for name, value in facts.items():
        if name not in short:
            click.echo(f"\n{name}\n{value}")


def moment(timestamp: float | None) -> str | None:
    """A time in UTC."""
    if timestamp is None:
        return None
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")


def duration(seconds: float | None) -> str | None:
    """A duration in the unit that fits."""
    if seconds is None:
        return None
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
