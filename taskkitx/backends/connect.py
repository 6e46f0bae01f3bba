"""From a store's URL to its backend and event bridge. Drivers are imported only for the store that is asked for."""

from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.settings import Settings

Store = tuple[Backend, EventBridge]

KNOWN = (
    "sqlite:///path/to/file.db, postgresql://user:password@host/database, mysql://user:password@host/database, "
    "redis://host:port/database, memory://name"
)


def connect(url: str, settings: Settings | None = None) -> Store:
    """The (backend, bridge) pair of a URL; nothing is opened yet.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user:password@host/database`,
    `mysql://user:password@host/database` (`mariadb://` is the same, `mysql+mysqldb://` uses mysqlclient),
    `memory://NAME`,
    `redis://host:port/database` (`rediss://` with TLS, `redis+sentinel://`, `unix:///path/to/socket`, `valkey://`;
    `?prefix=` names one of several stores). Raises ConfigurationError.
    """
    if not isinstance(url, str):
        raise ConfigurationError(
            f"a store's URL is a string, this is of type {type(url).__name__}; "
            "the handler comes first: make_kit(handler, url)"
        )
    scheme = urlsplit(url).scheme
    store = _STORES.get(scheme)
    if store is None:
        shown = _without_password(url)
        raise ConfigurationError(
            f"no store answers to the scheme {scheme!r} of {shown!r}; known are {KNOWN}"
        )
    try:
        return store(url, settings or Settings.from_environment())
    except ImportError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise ConfigurationError(
            f"{_without_password(url)!r} needs the driver {error.name}, which is not installed: "
            f"pip install 'taskkitx[{extra}]'"
        ) from None


def _memory(url: str, _: Settings) -> Store:
    from taskkitx.backends.memory import MemoryBackend, MemoryBridge

    return MemoryBackend(url), MemoryBridge(url)


def _sqlite(url: str, settings: Settings) -> Store:
    from taskkitx.backends.sql.events import SqlBridge
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
    return backend, SqlBridge(backend)


def _postgres(url: str, settings: Settings) -> Store:
    from taskkitx.backends.sql.events import SqlBridge
    from taskkitx.backends.sql.postgres import PostgresBackend

    backend = PostgresBackend(url, enqueue_timeout=settings.enqueue_timeout)
    return backend, SqlBridge(backend)


def _mysql(url: str, settings: Settings) -> Store:
    from taskkitx.backends.sql.events import SqlBridge
    from taskkitx.backends.sql.mysql import MySqlBackend

    backend = MySqlBackend(url, enqueue_timeout=settings.enqueue_timeout)
    return backend, SqlBridge(backend)


def _redis(url: str, settings: Settings) -> Store:
    from taskkitx.backends.redis.backend import RedisBackend
    from taskkitx.backends.redis.bridge import RedisBridge
    from taskkitx.backends.redis.server import server_at

    backend = RedisBackend(server_at(url), enqueue_timeout=settings.enqueue_timeout)
    return backend, RedisBridge(backend)


_STORES: dict[str, Callable[[str, Settings], Store]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    **dict.fromkeys(("postgresql", "postgres", "postgresql+psycopg"), _postgres),
    **dict.fromkeys(
        ("mysql", "mysql+pymysql", "mysql+mysqldb", "mariadb", "mariadb+pymysql"), _mysql
    ),
    **dict.fromkeys(("redis", "rediss", "redis+sentinel", "unix", "valkey", "valkeys"), _redis),
}
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql", "redis": "redis"}


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}:***{at}{host}" if at and ":" in credentials else url
