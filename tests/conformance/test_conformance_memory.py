"""The memory backend keeps what the port promises."""

from itertools import count

import pytest

from taskkitx.backends.memory import MemoryBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.conformance import BackendConformance, MakeBackend

_stores = count()


class TestMemory(BackendConformance):
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
