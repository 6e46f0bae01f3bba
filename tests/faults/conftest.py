"""A store on a private server, reached by way of a proxy that can misbehave."""

import pytest

from taskkitx import connect
from tests.proxy import Proxy

SERVERS = ["postgres", "mariadb"]


@pytest.fixture(params=SERVERS)
def server(request):
    """A running private server of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def direct_url(server):
    """The store's URL without the proxy."""
    return server.fresh_url()


@pytest.fixture
def url(proxy, direct_url):
    """The store's URL by way of the proxy."""
    return proxy.through(direct_url)


@pytest.fixture
def open_backend():
    """`open_backend(url)` is one more instance, as another process would have it."""
    opened = []

    def open_one(url):
        backend, _ = connect(url)
        opened.append(backend)
        backend.open()
        return backend

    yield open_one
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(open_backend, url):
    return open_backend(url)
