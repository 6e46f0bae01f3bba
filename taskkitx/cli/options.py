"""Options that several commands share, and the store they lead to."""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import click

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.settings import default_url

Command = TypeVar("Command", bound=Callable[..., Any])


def store_options(command: Command) -> Command:
    """`--url` and `--app`: where the store is."""
    command = click.option(
        "--app", metavar="MODULE:ATTR", help="Take the store of this application's kit."
    )(command)
    return click.option(
        "--url", metavar="URL", help="The store; default: TASKKITX_URL, else sqlite:///taskkitx.db."
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_store(url: str | None, app: str | None) -> tuple[Backend, EventBridge]:
    """The store a command works on; a SQLite file that is not there is not made by looking at it.

    Raises ConfigurationError or StoreUnavailable.
    """
    if app is not None:
        from taskkitx.supervisor.target import import_app

        kit = import_app(app)
        _must_exist(kit.backend.url)
        return kit.backend, kit.bridge
    from taskkitx.backends.connect import connect

    url = url or default_url()
    pair = connect(url)
    _must_exist(url)
    return pair


def _must_exist(url: str) -> None:
    scheme, _, rest = url.partition(":///")
    path = unquote(rest.partition("?")[0])
    if scheme == "sqlite" and not os.path.exists(path):
        raise ConfigurationError(
            f"there is no SQLite file {path}: name the store with --url or TASKKITX_URL; "
            "it is made by the first worker or the first task"
        )
