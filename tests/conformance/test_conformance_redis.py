"""The Redis backend keeps what the port promises."""

import pytest

from taskkitx.backends.redis.backend import RedisBackend
from taskkitx.backends.redis.bridge import RedisBridge
from taskkitx.backends.redis.server import server_at
from taskkitx.testing import FakeClock
from taskkitx.testing.conformance import (
    BackendConformance,
    BridgeConformance,
    MakeBackend,
    MakeBridge,
)


class TestRedisBackend(BackendConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def hints(self) -> None:
        """By publish and subscribe."""

    @pytest.fixture
    def make_backend(self, clock: FakeClock, redis_url: str) -> MakeBackend:
        return lambda: RedisBackend(server_at(redis_url), clock=clock)


class TestRedisBridge(BridgeConformance):
    @pytest.fixture
    def make_bridge(self, redis_url: str) -> MakeBridge:
        return lambda: RedisBridge(RedisBackend(server_at(redis_url)))
