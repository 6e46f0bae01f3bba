"""From a store's URL to its backend and event bridge. Drivers are imported only for the store that is asked for."""

from urllib.parse import parse_qs, unquote, urlsplit

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.settings import Settings


def connect(url: str, settings: Settings | None = None) -> tuple[Backend, EventBridge]:
    """The (backend, bridge) pair of a URL; nothing is opened yet.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `memory://NAME`. Raises ConfigurationError.
    """
    settings = settings or Settings.from_environment()
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(url, settings)
    if parts.scheme == "memory":
        from taskkitx.backends.memory import MemoryBackend, MemoryBridge

        return MemoryBackend(url), MemoryBridge(url)
    raise ConfigurationError(
        f"no store answers to the scheme {parts.scheme!r} of {_without_password(url)!r}; "
        "known are sqlite:///path/to/file.db and memory://name"
    )


def _sqlite(url: str, settings: Settings) -> tuple[Backend, EventBridge]:
    from taskkitx.backends.sql.events import SqliteBridge
    from taskkitx.backends.sql.sqlite import SqliteBackend

    rest, _, query = url.removeprefix("sqlite://").partition("?")
    path = unquote(rest.removeprefix("/"))
    if not rest.startswith("/") or not path or path == ":memory:":
        raise ConfigurationError(
            f"{url!r} names no file: write sqlite:///relative.db or sqlite:////absolute.db; "
            "for a store inside one process there is memory://name"
        )
    force = parse_qs(query).get("force") == ["1"]
    backend = SqliteBackend(path, enqueue_timeout=settings.enqueue_timeout, force=force)
    return backend, SqliteBridge(backend)


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}:***{at}{host}" if at and ":" in credentials else url
