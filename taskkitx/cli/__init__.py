"""The command line. Each command lives in a file of its own; the engine is imported when a command runs."""

from taskkitx.cli.commands import cli, main

__all__ = ["cli", "main"]
