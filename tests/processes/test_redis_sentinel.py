"""A primary that dies and is replaced by its replica, as Sentinel arranges it."""

from pathlib import Path

import pytest
import redis

from taskkitx import connect
from taskkitx.backends.redis.server import server_of
from taskkitx.errors import StoreUnavailable
from taskkitx.outcome import Succeeded
from taskkitx.settings import Settings
from taskkitx.task import Task
from tests.servers import Redis

SERVICE = "main"


class Watched(Redis):
    """One of a pair."""

    def __init__(self, primary: "Watched | None" = None) -> None:
        self.primary = primary
        super().__init__()

    def command(self) -> list[str | Path]:
        replica = (
            [] if self.primary is None else ["--replicaof", "127.0.0.1", str(self.primary.port)]
        )
        return [*super().command(), "--repl-diskless-sync-delay", "0", *replica]


class Sentinel(Redis):
    """Watches a primary and does not hesitate."""

    def __init__(self, primary: Watched) -> None:
        self.primary = primary
        super().__init__()

    def initialise(self) -> None:
        path = self.folder / "sentinel.conf"
        path.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 300\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        path.chmod(0o666)

    def command(self) -> list[str | Path]:
        return [self.binaries / "redis-server", self.folder / "sentinel.conf", "--sentinel"]

    def ping(self) -> None:
        with self._client(0) as client:  # it has no socket file
            client.ping()


@pytest.fixture
def watched(redis_server):
    primary = Watched()
    primary.start()
    replica = Watched(primary)
    replica.start()
    sentinel = Sentinel(primary)
    sentinel.start()
    yield primary, replica, sentinel
    for server in (sentinel, replica, primary):
        server.remove()


@pytest.mark.timeout(120)
def test_work_goes_on_at_the_new_primary(watched):
    """Seen to fail with connections to the address that was the primary's once."""
    primary, replica, sentinel = watched
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}/0"
    backend, bridge = connect(url, Settings(enqueue_timeout=60))
    events = bridge.receive_events()
    (task,) = [Task.init("g", "n", b"")]
    backend.put([task])
    (claim,) = backend.claim("wk", {"g": 1})
    with replica._client(0) as client, sentinel._client(0) as watcher:
        with primary._client(0) as old:
            old.wait(1, 10_000)  # what it had not received would be lost
        while watcher.sentinel_master(SERVICE)["num-slaves"] < 1:
            watcher.ping()

        primary.kill()
        backend.put([Task.init("g", "n", b"")])

        assert client.role()[0] == b"master"
    assert set(backend.finish("wk", [Succeeded(claim, b"")])) == {claim.id}
    assert len(backend.claim("wk", {"g": 2})) == 1
    bridge.send_event({"name": "resume", "groups": None})
    assert next(events)["name"] == "resume"
    bridge.close()
    backend.close()


def test_a_client_of_sentinel_and_its_url_name_the_same(watched):
    *_, sentinel = watched
    client = redis.Sentinel([("127.0.0.1", sentinel.port)]).master_for(SERVICE, db=2)
    server = server_of(client, "shop")
    del client

    assert server.url == f"redis+sentinel://127.0.0.1:{sentinel.port}/{SERVICE}/2?prefix=shop"
    assert connect(server.url)[0].url == server.url
    server.connection().connect()


def test_a_service_that_sentinel_does_not_know(watched):
    *_, sentinel = watched
    backend, _ = connect(f"redis+sentinel://127.0.0.1:{sentinel.port}/other")

    with pytest.raises(StoreUnavailable, match="other"):
        backend.open()
