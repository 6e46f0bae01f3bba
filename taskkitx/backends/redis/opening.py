"""Whether a server can be worked on (access, version, layout), and when what was written there is on a disk."""

import threading
from typing import Any

from taskkitx.backends.redis.connections import Connections
from taskkitx.backends.redis.errors import refuses_access
from taskkitx.backends.redis.keys import VERSION, Keys
from taskkitx.errors import ConfigurationError, SchemaMismatch, StoreRefused, StoreUnavailable

OLDEST = (6, 2)
FSYNC_INTERVAL = 2.0
"""With appendfsync everysec, what was written is on the disk after that many seconds."""
WAITAOF_TIMEOUT = 10_000
"""Milliseconds."""


def check(connections: Connections, keys: Keys) -> None:
    """Raises StoreUnavailable, ConfigurationError where the URL or the server has to change, SchemaMismatch."""
    try:
        info = server_info(connections, "server")
        version = connections.ask("GET", keys.version)
    except StoreUnavailable as error:
        if refuses_access(error.__cause__):
            raise ConfigurationError(str(error)) from None  # it says all there is to say
        raise
    number = tuple(int(part) for part in info.get("redis_version", "0.0").split(".")[:2])
    if number < OLDEST:
        raise ConfigurationError(
            f"Redis at {connections.server.where} is version {info.get('redis_version')}: 6.2 or later is needed"
        )
    if info.get("redis_mode") == "sentinel":
        raise ConfigurationError(
            f"{connections.server.where} is a sentinel: write redis+sentinel://host:port/service/database"
        )
    if version not in (None, VERSION):
        raise SchemaMismatch(
            f"the store with prefix {connections.server.prefix!r} in Redis at {connections.server.where} has layout "
            f"{version.decode(errors='replace')}, this version of taskkitx works with {VERSION.decode()}: "
            "install the version of taskkitx that made it, or name another store with ?prefix="
        )


def persist(connections: Connections) -> None:
    """Return when what was written is on the disk, as far as this server is told to sync at all."""
    if server_info(connections, "persistence").get("aof_enabled") != "1":
        return
    if _fsync(connections) in ("always", "no"):
        return  # it is there before any answer, or whenever the operating system likes
    try:
        synced = connections.ask("WAITAOF", 1, 0, WAITAOF_TIMEOUT)
    except StoreRefused:
        # Before 7.2 nobody can ask.
        threading.Event().wait(FSYNC_INTERVAL)
        return
    if synced[0] < 1:
        raise StoreUnavailable(
            f"Redis at {connections.server.where} has not synced its append-only file within "
            f"{WAITAOF_TIMEOUT // 1000} s"
        )


def _fsync(connections: Connections) -> str:
    try:
        answer = connections.ask("CONFIG", "GET", "appendfsync")
    except (StoreRefused, StoreUnavailable):
        return ""  # managed servers do not tell
    return answer[1].decode() if answer else ""


def server_info(connections: Connections, section: str) -> dict[str, str]:
    """A section of INFO, by name."""
    answer: Any = connections.ask("INFO", section)
    lines = (line.partition(":") for line in answer.decode(errors="replace").splitlines())
    return {name: value for name, _, value in lines if value}
