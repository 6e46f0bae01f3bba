"""Servers that Sentinel names: `redis+sentinel://[[user]:password@]host:port,host:port/service/database`."""

from typing import Any
from urllib.parse import SplitResult, unquote

from redis.sentinel import Sentinel, SentinelConnectionPool

SENTINEL = "redis+sentinel"
_PORT = 26379


def sentinel_pool(parts: SplitResult) -> Any:
    """The pool of the primary that the URL's sentinels name. Raises ValueError."""
    access, _, hosts = parts.netloc.rpartition("@")
    user, _, password = access.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise ValueError(
            "of Sentinel it names redis+sentinel://host:port,host:port/service/database"
        )
    make: Any = Sentinel  # untyped
    sentinels = make([_address(host) for host in hosts.split(",")])
    client = sentinels.master_for(
        unquote(service),
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
    )
    return client.connection_pool


def service_of(pool: Any) -> str:
    """The service whose primary a pool connects to; empty for another kind of pool."""
    return str(pool.service_name) if isinstance(pool, SentinelConnectionPool) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # untyped


def sentinels_of(pool: Any) -> str:
    """The addresses of a pool's sentinels, as in a URL."""
    known = (
        sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels
    )
    return ",".join(f"{options['host']}:{options['port']}" for options in known)


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":") if ":" in host else (host, "", str(_PORT))
    return name, int(port)
