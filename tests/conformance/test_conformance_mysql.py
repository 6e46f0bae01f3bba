"""The MySQL backend keeps what the port promises."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest

from taskkitx.backends.sql.events import SqlBridge
from taskkitx.backends.sql.mysql import MySqlBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.conformance import (
    BackendConformance,
    BridgeConformance,
    MakeBackend,
    MakeBridge,
)
from taskkitx.testing.conformance.ground import BeginTransaction
from tests.servers import connect_plainly


@pytest.fixture
def url(empty_mysql_url: str) -> str:
    return empty_mysql_url


@pytest.mark.usefixtures("no_old_snapshot")
class TestMySql(BackendConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def hints(self) -> None:
        """Through datagrams."""

    @pytest.fixture
    def make_backend(self, clock: FakeClock, url: str) -> MakeBackend:
        return lambda: MySqlBackend(url, clock=clock)

    @pytest.fixture
    def begin(self, url: str) -> BeginTransaction:
        @contextmanager
        def transaction() -> Generator["pymysql.Connection[Any]"]:
            with closing(connect_plainly(url)) as connection:
                connection.begin()
                yield connection
                connection.commit()

        return transaction


class TestMySqlBridge(BridgeConformance):
    @pytest.fixture
    def make_bridge(self, url: str) -> MakeBridge:
        return lambda: SqlBridge(MySqlBackend(url))
