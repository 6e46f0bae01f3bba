"""The stores that what is built on the port is tested on: one list; a store counts once `connect` knows its scheme."""

import uuid

import pytest

from taskkitx import ConfigurationError, connect

STORES = {
    "memory": None,
    "sqlite": "sqlite_url",
    "postgresql": "empty_postgres_url",
    "mysql": "empty_mysql_url",
    "redis": "redis_url",
}
"""By scheme, the fixture that gives the URL of an empty store."""


def _is_built(scheme: str) -> bool:
    try:
        connect(f"{scheme}://user@localhost/name")
    except ConfigurationError as error:
        return "no store answers" not in str(error)
    return True


BUILT = [scheme for scheme in STORES if _is_built(scheme)]
SHARED = [scheme for scheme in BUILT if scheme != "memory"]
"""Those that several processes can work on."""


def url_of(scheme: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store."""
    fixture = STORES[scheme]
    if fixture is None:
        return f"memory://{uuid.uuid4().hex}"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(params=BUILT)
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store, of each kind in turn."""
    return url_of(request.param, request)


@pytest.fixture(params=SHARED)
def shared_url(request: pytest.FixtureRequest) -> str:
    """The same, of each kind that other processes can reach."""
    return url_of(request.param, request)
