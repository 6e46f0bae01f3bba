"""A Kit on a client of redis-py that the application has already."""

from typing import Any, TypeVar

from taskkitx.backends.redis.backend import RedisBackend
from taskkitx.backends.redis.bridge import RedisBridge
from taskkitx.backends.redis.server import server_of
from taskkitx.handler import TaskHandler
from taskkitx.kit import Kit
from taskkitx.settings import Settings

In = TypeVar("In")
Out = TypeVar("Out")


def make_kit(
    redis: Any,
    handler: TaskHandler[In, Out],
    *,
    prefix: str = "taskkitx",
    settings: Settings | None = None,
) -> Kit[In, Out]:
    """A Kit on the server that `redis` (a `redis.Redis` of any settings) talks to; nothing is opened yet.

    The Kit opens connections of its own: the client's, and its `decode_responses`, are left alone. `prefix` tells
    this store from others in the same database. Raises ConfigurationError for another kind of client.
    """
    settings = settings or Settings.from_environment()
    backend = RedisBackend(server_of(redis, prefix), enqueue_timeout=settings.enqueue_timeout)
    return Kit(backend, RedisBridge(backend), handler, settings)
