"""Which store a command works on, and opening it without changing it behind anybody's back."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable
from urllib.parse import unquote, urlsplit

import click

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError, StoreUnavailable
from taskkitx.event import EventBridge

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SQLITE = "sqlite:///"


def store_options(command: _Command) -> _Command:
    """`--url` and `--app`, for every command that works on a store."""
    url = click.option(
        "--url", metavar="URL", help="The store; default TASKKITX_URL, else sqlite:///taskkitx.db."
    )
    app = click.option(
        "--app", metavar="MODULE:KIT", help="Work on the store of this application instead."
    )
    return url(app(command))


@runtime_checkable
class Migratable(Protocol):
    """A backend whose tables are made and upgraded on request."""

    def migrate(self) -> None:
        """Make the tables, or bring them up to this version."""
        ...

    def open_existing(self) -> None:
        """As `open`, but nothing is created."""
        ...


@contextmanager
def opened(
    url: str | None, app: str | None, *, create: bool = False
) -> Generator[tuple[Backend, EventBridge]]:
    """The store, reached and with the schema of this version; closed when the block is left.

    With `create`, tables are made or upgraded; else a SQLite file and a server's tables must be there and stay as they
    are. Raises ConfigurationError, SchemaMismatch, StoreUnavailable.
    """
    backend, bridge = chosen(url, app)
    path = sqlite_path(backend.url)
    if path is not None and not create:
        check_file(path)
    try:
        if isinstance(backend, Migratable):
            backend.migrate() if create else backend.open_existing()
        backend.open()
        yield backend, bridge
    finally:
        backend.close()


def chosen(url: str | None, app: str | None) -> tuple[Backend, EventBridge]:
    """The store that these options name, not opened yet."""
    if url and app:
        raise click.UsageError("--url and --app both name a store: give one of them")
    if app:
        from taskkitx.supervisor.target import AppTarget, import_app

        kit = import_app(AppTarget(app).path)
        pair: tuple[Backend, EventBridge] = (kit.backend, kit.bridge)
    else:
        from taskkitx.backends.connect import connect
        from taskkitx.settings import default_url

        pair = connect(url or default_url())
    refuse_memory(pair[0].url)
    return pair


def refuse_memory(url: str) -> None:
    """Raises ConfigurationError for a store that other processes can never see."""
    if url.startswith("memory:"):
        raise ConfigurationError(
            f"{url} lives inside one process, and the command line is another one: "
            "use sqlite:///path/to/file.db or a server"
        )


def sqlite_path(url: str) -> str | None:
    """The file of a SQLite backend's url; None for other stores."""
    if not url.startswith(_SQLITE):
        return None
    return unquote(url.removeprefix(_SQLITE).partition("?")[0])


def check_file(path: str) -> None:
    """Raises ConfigurationError, SchemaMismatch or StoreUnavailable when this is no file of this version's tasks."""
    from taskkitx.backends.sql.connections import Connections
    from taskkitx.backends.sql.sqlite_errors import is_broken
    from taskkitx.backends.sql.sqlite_file import check_path, prepare, version_of

    if not os.path.exists(path):
        raise ConfigurationError(
            f"there is no SQLite file {path}: name the store with --url or TASKKITX_URL; "
            "a new one is made by `taskkitx migrate`, or by the first worker"
        )
    check_path(path, force=True)
    connections = Connections(path)
    try:
        try:
            with connections.reading() as connection:
                version = version_of(connection)
        except StoreUnavailable as error:
            if is_broken(error.__cause__):
                raise ConfigurationError(str(error)) from error
            raise
        if version is None:
            raise ConfigurationError(
                f"the SQLite file {path} holds no tasks of taskkitx: name another store with --url, "
                "or run `taskkitx migrate` to put the tables into this one"
            )
        prepare(connections, migrate=False)
    finally:
        connections.close()


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    credentials, at, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    if not (at and colon):
        return url
    return url.replace(f"//{parts.netloc}", f"//{user}:***@{host}", 1)
