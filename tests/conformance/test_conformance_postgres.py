"""The Postgres backend keeps what the port promises."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from taskkitx.backends.sql.events import SqlBridge
from taskkitx.backends.sql.postgres import PostgresBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.conformance import (
    BackendConformance,
    BridgeConformance,
    MakeBackend,
    MakeBridge,
)
from taskkitx.testing.conformance.ground import BeginTransaction


@pytest.fixture
def url(empty_postgres_url: str) -> str:
    return empty_postgres_url


@pytest.mark.usefixtures("no_old_snapshot")
class TestPostgres(BackendConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def hints(self) -> None:
        """Through datagrams and NOTIFY."""

    @pytest.fixture
    def make_backend(self, clock: FakeClock, url: str) -> MakeBackend:
        return lambda: PostgresBackend(url, clock=clock)

    @pytest.fixture
    def begin(self, url: str) -> BeginTransaction:
        @contextmanager
        def transaction() -> Generator[psycopg.Connection]:
            with psycopg.connect(url) as connection:
                yield connection

        return transaction


class TestPostgresBridge(BridgeConformance):
    @pytest.fixture
    def make_bridge(self, url: str) -> MakeBridge:
        return lambda: SqlBridge(PostgresBackend(url))
