"""The memory store keeps what the ports promise."""

from itertools import count

import pytest

from taskkitx.backends.memory import MemoryBackend, MemoryBridge
from taskkitx.testing import FakeClock
from taskkitx.testing.conformance import (
    BackendConformance,
    BridgeConformance,
    MakeBackend,
    MakeBridge,
)

_stores = count()


class TestMemoryBackend(BackendConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def hints(self) -> None:
        """Through threading."""

    @pytest.fixture
    def make_backend(self, clock: FakeClock) -> MakeBackend:
        url = f"memory://conformance-{next(_stores)}"
        return lambda: MemoryBackend(url, clock=clock)


class TestMemoryBridge(BridgeConformance):
    @pytest.fixture
    def make_bridge(self) -> MakeBridge:
        url = f"memory://conformance-{next(_stores)}"
        return lambda: MemoryBridge(url)
