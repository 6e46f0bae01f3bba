"""Which Redis a store is on: from a URL or from a client of redis-py to connections of our own, and back to a URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import redis
from redis.connection import SSLConnection, UnixDomainSocketConnection

from taskkitx.backends.redis.keys import DEFAULT_PREFIX
from taskkitx.backends.redis.sentinel import SENTINEL, sentinel_pool, sentinels_of, service_of
from taskkitx.errors import ConfigurationError

_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
_NOT_SHARED = ("retry", "retry_on_error", "event_dispatcher", "health_check_interval")
"""What a client's pool keeps for its own connections, or does that we do ourselves."""
_OURS = {
    "decode_responses": False,  # data and results are bytes, whatever the client's own users want
    "encoding": "utf-8",
    "encoding_errors": "strict",
    "protocol": 2,
    "health_check_interval": 0,
}
CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 15.0
"""A server that takes longer for one answer is taken for gone."""


class Connection(Protocol):
    """What we use of redis-py's connections, which are partly untyped."""

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def can_read(self, timeout: float = 0) -> bool: ...
    def pack_command(self, *command: Any) -> Any: ...
    def pack_commands(self, commands: Any) -> Any: ...
    def send_packed_command(self, command: Any, check_health: bool = True) -> None: ...
    def read_response(self) -> Any: ...


@dataclass(frozen=True)
class Server:
    """One Redis, and the prefix of a store on it."""

    connection_class: Any
    options: Mapping[str, Any]
    prefix: str = DEFAULT_PREFIX
    pool: Any = None
    """Where the options come from: connections by Sentinel ask it for the primary, and hold it weakly."""

    def connection(self) -> Connection:
        """A new one, not connected yet."""
        connection: Connection = self.connection_class(**self.options)
        return connection

    @property
    def where(self) -> str:
        """For people, without the password."""
        if "path" in self.options:
            return str(self.options["path"])
        if service := service_of(self.pool):
            return f"the primary of {service} (by Sentinel)"
        return f"{self.options.get('host', 'localhost')}:{self.options.get('port', 6379)}"

    @property
    def url(self) -> str:
        """What leads to the same store, password included."""
        options = self.options
        user, password = options.get("username") or "", options.get("password")
        access = f"{quote(user, '')}:{quote(password, '')}@" if password else ""
        query = {} if self.prefix == DEFAULT_PREFIX else {"prefix": self.prefix}
        if service := service_of(self.pool):
            hosts, database = sentinels_of(self.pool), options.get("db") or 0
            return f"{SENTINEL}://{access}{hosts}/{quote(service, '')}/{database}{_query(query)}"
        if "path" in options:
            path = str(options["path"])
            return f"unix://{access}{path}{_query(query, db=options.get('db'))}"
        secure = issubclass(self.connection_class, SSLConnection)
        if secure:
            query |= {
                name: str(value)
                for name, value in options.items()
                if name.startswith("ssl_") and isinstance(value, str | bool | int)
            }
        host = str(options.get("host", "localhost"))
        host = f"[{host}]" if ":" in host else host
        place = f"{access}{host}:{options.get('port', 6379)}"
        scheme = "rediss" if secure else "redis"
        return f"{scheme}://{place}/{options.get('db') or 0}{_query(query)}"


def _query(query: Mapping[str, str], db: int | None = None) -> str:
    encoded = urlencode(dict(query) | ({"db": str(db)} if db else {}))
    return f"?{encoded}" if encoded else ""


def server_at(url: str) -> Server:
    """The server of a `redis://`, `rediss://`, `unix://`, `valkey://` or `redis+sentinel://` URL; `?prefix=` names the
    store on it.

    Raises ConfigurationError.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    prefix = query.pop("prefix", [DEFAULT_PREFIX])[-1]
    scheme = _SCHEMES.get(parts.scheme, parts.scheme)
    plain = f"{scheme}://{parts.netloc}{parts.path}?{urlencode(query, doseq=True)}"
    try:
        if scheme == SENTINEL:
            return _server(sentinel_pool(parts), prefix)
        if scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdigit():
            raise ValueError(f"{unquote(parts.path)!r} is no database number")
        if scheme == "unix" and not parts.path.strip("/"):
            raise ValueError("it names no socket")
        pool: Any = redis.ConnectionPool.from_url(plain)  # pyright: ignore[reportUnknownMemberType]  # untyped
        server = _server(pool, prefix)
        server.connection()
    except (ValueError, TypeError, redis.RedisError) as error:
        raise ConfigurationError(
            f"the URL of Redis at {parts.hostname or parts.path} cannot be used: {error}; "
            "write redis://[[user]:password@]host:port/database or unix:///path/to/socket"
        ) from error
    return server


def server_of(client: Any, prefix: str = DEFAULT_PREFIX) -> Server:
    """The server that a client of redis-py talks to; the client's own connections are left alone.

    Raises ConfigurationError for a client that is none of `redis.Redis`.
    """
    if not isinstance(client, redis.Redis):
        raise ConfigurationError(
            f"a {type(client).__module__}.{type(client).__name__} cannot be used: give a redis.Redis, "
            "which may come from redis.Redis.from_url or redis.Sentinel.master_for"
        )
    return _server(client.connection_pool, prefix)


def _server(pool: Any, prefix: str) -> Server:
    if not prefix or set("{}") & set(prefix):
        raise ConfigurationError(f"the prefix {prefix!r} is empty or has braces: they are ours")
    given: dict[str, Any] = dict(pool.connection_kwargs)
    options = {
        name: value
        for name, value in given.items()
        if name not in _NOT_SHARED and "maint" not in name
    }
    options |= _OURS
    options.setdefault("socket_connect_timeout", CONNECT_TIMEOUT)
    options["socket_timeout"] = given.get("socket_timeout") or ANSWER_TIMEOUT
    kind = pool.connection_class
    if not issubclass(kind, UnixDomainSocketConnection):
        options.setdefault("socket_keepalive", True)
    return Server(kind, options, prefix, pool)
