"""What Redis's errors mean for whoever meets them. All but bad data is trouble that may pass."""

import redis

from taskkitx.errors import StoreError, StoreRefused, StoreUnavailable

BAD_DATA = (redis.DataError, UnicodeEncodeError, OverflowError)
"""What packing a command may raise, before Redis sees it."""

_DATA = (
    "Protocol error: invalid",
    "Protocol error: too big",
    "string exceeds maximum",
    "WRONGTYPE",
)
_MEANING = {
    "OOM": "has reached its maxmemory and takes nothing new: give it more, or purge finished tasks",
    "READONLY": "is read-only: a replica, or a primary that was demoted by a failover",
    "LOADING": "is still loading its data",
    "MISCONF": "refuses writes because it cannot save to disk: see its log and free disk space",
    "MASTERDOWN": "is a replica that has lost its primary",
    "NOREPLICAS": "refuses writes because it has too few replicas (min-replicas-to-write)",
    "CLUSTERDOWN": "is part of a cluster that is down",
    "MOVED": "is a node of a cluster that does not own this store's slot: name the one that does",
    "BUSY": "is busy with somebody's long script",
    "NOAUTH": "wants a password: put it into the URL, redis://:PASSWORD@host",
    # Redis refuses by its size what it does not want to read without a password.
    "unauthenticated": "wants a password: put it into the URL, redis://:PASSWORD@host",
    "Authentication required": "wants a password: put it into the URL, redis://:PASSWORD@host",
    "WRONGPASS": "refuses this user name or password",
    "invalid username-password": "refuses this user name or password",
    "invalid password": "refuses this user name or password",
    "without any password configured": "has no password set, but the URL has one",
    "NOPERM": "does not allow this user what is needed: its ACL must allow all commands on the store's keys",
    "max number of clients": "has reached its maxclients",
    "DB index is out of range": "has no database of this number",
}
_CODES = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "BusyLoadingError": "LOADING",
    "NoPermissionError": "NOPERM",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "MovedError": "MOVED",
    "AskError": "MOVED",
    "TryAgainError": "CLUSTERDOWN",
}
"""What redis-py cuts off from an error's text, by the class it makes of it."""
_REFUSES_ACCESS = (
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "password",
    "required",
    "DB index is out of range",
)
_PASSING = ("READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN")


def translated(error: Exception, where: str) -> StoreError:
    """The same fact as an error of ours; `where` names the server."""
    text = said(error)
    if isinstance(error, BAD_DATA) or any(word in text for word in _DATA):
        return StoreRefused(f"Redis at {where} cannot keep this ({text})")
    for word, meaning in _MEANING.items():
        if word in text:
            return StoreUnavailable(f"Redis at {where} {meaning} ({text})")
    if isinstance(error, redis.ResponseError):
        return StoreRefused(f"Redis at {where} refuses this ({text})")
    return StoreUnavailable(f"Redis at {where} does not answer ({text})")


def said(error: BaseException | None) -> str:
    """What Redis said, its code included."""
    kind = type(error).__name__
    return f"{_CODES.get(kind, '')} {error}".strip() or kind


def refuses_access(error: BaseException | None) -> bool:
    """Whether Redis answers, but not to this URL: waiting does not help."""
    return isinstance(error, redis.RedisError) and any(
        word in said(error) for word in _REFUSES_ACCESS
    )


def is_read_only(error: BaseException) -> bool:
    """Whether it may go on elsewhere: a new connection may find the new primary."""
    return "READONLY" in said(error)


def is_passing(error: BaseException | None) -> bool:
    """Whether it is the kind of trouble that a restart or a failover brings and takes away."""
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        return not refuses_access(error)
    return any(word in said(error) for word in _PASSING)
