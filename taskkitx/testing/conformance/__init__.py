"""The conformance suite: what `taskkitx.backend` promises, as tests that any store can inherit.

    class TestMyStore(BackendConformance):
        @pytest.fixture
        def make_backend(self) -> MakeBackend:
            url = fresh_store()
            return lambda: MyBackend(url)

See `Ground` for the capabilities a store may offer beyond that.
"""

from pkgutil import iter_modules

import pytest

# Before the modules below are imported, so that their asserts explain themselves like those of any test.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from taskkitx.testing.conformance.bridge import BridgeConformance, MakeBridge  # noqa: E402
from taskkitx.testing.conformance.ground import BeginTransaction, Ground, MakeBackend  # noqa: E402
from taskkitx.testing.conformance.suite import BackendConformance  # noqa: E402

__all__ = [
    "BackendConformance",
    "BeginTransaction",
    "BridgeConformance",
    "Ground",
    "MakeBackend",
    "MakeBridge",
]
