"""The SQLite backend keeps what the port promises."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taskkitx.backends.sql.events import SqlBridge
from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.conformance import (
    BackendConformance,
    BridgeConformance,
    MakeBackend,
    MakeBridge,
)
from taskkitx.testing.conformance.ground import BeginTransaction


class TestSqlite(BackendConformance):
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def hints(self) -> None:
        """Through datagrams."""

    @pytest.fixture
    def make_backend(self, clock: FakeClock, tmp_path: Path) -> MakeBackend:
        return lambda: SqliteBackend(str(tmp_path / "tasks.db"), clock=clock)

    @pytest.fixture
    def begin(self, tmp_path: Path) -> BeginTransaction:
        @contextmanager
        def transaction() -> Generator[sqlite3.Connection]:
            SqliteBackend(str(tmp_path / "tasks.db")).open()
            connection = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
            finally:
                connection.close()

        return transaction


class TestSqlBridge(BridgeConformance):
    @pytest.fixture
    def make_bridge(self, tmp_path: Path) -> MakeBridge:
        return lambda: SqlBridge(SqliteBackend(str(tmp_path / "tasks.db")))
