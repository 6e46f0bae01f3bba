"""Fixtures for every test: private servers, started when first wanted, and URLs of empty stores.

A server that is not installed skips the test on a laptop and fails it where CI=true. A test may stop, kill or restart
the server it was given; the next one gets it running again.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from taskkitx import connect
from tests.servers import MariaDB, Postgres, PrivateServer, Redis, ServerAbsent, forget_everything

Server = TypeVar("Server", bound=PrivateServer)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests are shared out (`make test`), a file stays in one hand, and so do all those of a folder that is about
    process trees: side by side they would wait for processors."""
    for item in items:
        folder = item.path.parent.name
        group = folder if folder == "processes" else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


def _private(kind: type[Server]) -> Iterator[Server]:
    try:
        server = kind()
    except ServerAbsent as absent:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI has to have every server: {absent}")
        pytest.skip(str(absent))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    yield from _private(Postgres)


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[MariaDB]:
    yield from _private(MariaDB)


@pytest.fixture(scope="session")
def _redis() -> Iterator[Redis]:
    yield from _private(Redis)


@pytest.fixture
def no_old_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the strict order of claims: beside an old snapshot an urgent task may wait for a tenth of a second,
    and a server that has just cleaned up after other tests may look as if somebody held one."""
    for module in ("mysql", "postgres"):
        monkeypatch.setattr(f"taskkitx.backends.sql.{module}.is_held", lambda session: False)


@pytest.fixture
def postgres(_postgres: Postgres) -> Postgres:
    """A running PostgreSQL server of our own."""
    _postgres.start()
    return _postgres


@pytest.fixture
def mariadb(_mariadb: MariaDB) -> MariaDB:
    """A running MariaDB server of our own."""
    _mariadb.start()
    return _mariadb


@pytest.fixture
def redis_server(_redis: Redis) -> Redis:
    """A running Redis server of our own."""
    _redis.start()
    return _redis


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'tasks.db'}"


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres.fresh_url()


@pytest.fixture(scope="session")
def _postgres_with_tables(_postgres: Postgres) -> str:
    """One database for all tests that need tables: making them takes longer than most of these tests."""
    return _with_tables(_postgres)


def _with_tables(server: PrivateServer) -> str:
    server.start()
    url = server.fresh_url()
    backend, _ = connect(url)
    backend.open()
    backend.close()
    return url


@pytest.fixture
def empty_postgres_url(postgres: Postgres, _postgres_with_tables: str) -> str:
    """The URL of a PostgreSQL database whose tables are made and empty."""
    postgres.start()
    forget_everything(_postgres_with_tables)
    return _postgres_with_tables


@pytest.fixture
def mysql_url(mariadb: MariaDB) -> str:
    """The URL of an empty MariaDB database."""
    return mariadb.fresh_url()


@pytest.fixture(scope="session")
def _mariadb_with_tables(_mariadb: MariaDB) -> str:
    """One database for all tests that need tables."""
    return _with_tables(_mariadb)


@pytest.fixture
def empty_mysql_url(mariadb: MariaDB, _mariadb_with_tables: str) -> str:
    """The URL of a MariaDB database whose tables are made and empty."""
    mariadb.start()
    forget_everything(_mariadb_with_tables)
    return _mariadb_with_tables


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The URL of an empty Redis database."""
    return redis_server.fresh_url()


@pytest.fixture
def soak() -> bool:
    """Whether soaks run in full length (`make soak`) or in their short form (`make test`)."""
    return os.environ.get("TASKKITX_SOAK") == "1"
