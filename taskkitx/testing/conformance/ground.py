"""The ground every test of the suite stands on: a fresh store, and what the store says it is capable of.

A capability is a fixture. Its default here skips the tests that ask for it and says why; a store that has the
capability overrides the fixture. Nothing is inferred from a store's name.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from taskkitx.backend import Backend
from taskkitx.testing.clock import FakeClock

MakeBackend = Callable[[], Backend]
BeginTransaction = Callable[[], AbstractContextManager[Any]]


class Ground:
    """Base of all areas of the suite. Each test has three paragraphs: given, when, then."""

    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        """Required: opens one more instance on the same store, fresh for each test; instances are like processes."""
        raise NotImplementedError("a conformance class gives a make_backend fixture")

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Capability: the store, leases included, takes its time from this clock. `make_backend` has to use it."""
        pytest.skip("needs a store whose clock can be injected")

    @pytest.fixture
    def hints(self) -> None:
        """Capability: hints reach other instances, at the latest after some seconds."""
        pytest.skip("needs a store that gives hints")

    @pytest.fixture
    def begin(self) -> BeginTransaction:
        """Capability: `with begin() as connection` is a transaction of the application that `put` can join.

        It commits at its end and rolls back when an exception passes through.
        """
        pytest.skip("needs a store whose transactions can be joined")

    @pytest.fixture
    def open_backend(self, make_backend: MakeBackend) -> Iterator[MakeBackend]:
        """One more instance, closed after the test."""
        opened: list[Backend] = []

        def open_one() -> Backend:
            opened.append(make_backend())
            return opened[-1]

        yield open_one
        for backend in opened:
            backend.close()

    @pytest.fixture
    def backend(self, open_backend: MakeBackend) -> Backend:
        """The instance most tests use."""
        return open_backend()

    @pytest.fixture
    def other(self, open_backend: MakeBackend) -> Backend:
        """A second instance on the same store."""
        return open_backend()
