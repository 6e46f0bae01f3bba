"""What is particular to the store in Redis: clients and URLs, trouble, what it lost, connections and forks."""

import os
import queue
import threading

import pytest
import redis
from redis.crc import key_slot
from redis.exceptions import ClusterDownError, MasterDownError, MovedError

from taskkitx import TaskHandler, connect
from taskkitx.backends.redis.errors import translated
from taskkitx.backends.redis.health import redis_loses_data, risks
from taskkitx.errors import ConfigurationError, SchemaMismatch, StoreRefused, StoreUnavailable
from taskkitx.impl.redis import make_kit
from taskkitx.outcome import Failed, Fault, Retried, Succeeded
from taskkitx.record import TaskFilter, WorkerRecord
from taskkitx.settings import Settings
from taskkitx.task import Task, TaskState

PATIENCE = 10.0
HASTY = Settings(enqueue_timeout=0.05)


class Upper(TaskHandler[str, str]):
    def handle(self, task):
        return task.data.decode().upper()

    def get_retry_interval(self, task, exception):
        return None

    def encode_data(self, group, task_name, data):
        return data.encode()

    def encode_result(self, task, result):
        return result.encode()

    def decode_result(self, task, encoded):
        return encoded.decode()


@pytest.fixture
def backend(redis_url):
    backend, _ = connect(redis_url, HASTY)
    yield backend
    backend.close()


@pytest.fixture
def admin(redis_url):
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def task(**options):
    return Task.init("g", "n", b"", **options)


# Clients and URLs


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"decode_responses": True},
        {"decode_responses": True, "protocol": 3},
        {"single_connection_client": True},
        {"socket_timeout": 0.5, "health_check_interval": 1},
    ],
    ids=str,
)
def test_a_kit_on_a_client_of_any_settings_leaves_the_client_as_it_is(redis_url, options):
    client = redis.Redis.from_url(redis_url, **options)
    client.set("theirs", "value")
    kit = make_kit(client, Upper())
    runner = threading.Thread(target=kit.run_worker, daemon=True)
    runner.start()

    result = kit.initiate_task("default", "upper", "word").get(timeout=PATIENCE)

    kit.stop_worker()
    runner.join(PATIENCE)
    assert result == "WORD"
    assert client.get("theirs") == ("value" if options.get("decode_responses") else b"value")


def test_a_kit_on_a_client_and_one_on_its_url_are_on_the_same_store(redis_server, redis_url):
    client = redis.Redis(unix_socket_path=str(redis_server.socket), db=3)
    client.flushdb()
    kit = make_kit(client, Upper(), prefix="two words")

    kit.initiate_task("g", "upper", "word")

    other, _ = connect(kit.backend.url)
    assert len(other.claim("wk", {"g": 2})) == 1
    other.close()
    kit.backend.close()


@pytest.mark.parametrize("client", [3, redis.RedisCluster, None], ids=str)
def test_another_kind_of_client_is_refused(client):
    with pytest.raises(ConfigurationError, match=r"give a redis\.Redis"):
        make_kit(client, Upper())


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("redis://", "redis://localhost:6379/0"),
        ("valkey://host/2", "redis://host:6379/2"),
        ("redis://u:p%40@h:1/2?prefix=a", "redis://u:p%40@h:1/2?prefix=a"),
        ("redis://:secret@[::1]:7", "redis://:secret@[::1]:7/0"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("rediss://h?ssl_cert_reqs=none", "rediss://h:6379/0?ssl_cert_reqs=none"),
    ],
)
def test_urls(url, canonical):
    assert connect(url)[0].url == canonical
    assert connect(canonical)[0].url == canonical


@pytest.mark.parametrize(
    "url",
    [
        *("redis://h:99999", "redis://h:port", "redis://h/name", "redis://h?prefix="),
        *("redis://h?prefix=a{b", "redis://h?nonsense=1", "unix://"),
    ],
)
def test_urls_that_cannot_be_meant_are_refused_without_their_password(url):
    with pytest.raises(ConfigurationError) as refused:
        connect(url.replace("//h", "//u:secret@h"))
    assert "secret" not in str(refused.value)


def test_stores_with_different_prefixes_keep_apart(redis_url):
    one, other = (connect(f"{redis_url}?prefix={name}")[0] for name in ("one", "other"))
    one.put([task()])

    assert other.claim("wk", {"g": 1}) == []
    assert len(one.claim("wk", {"g": 1})) == 1
    one.close()
    other.close()


# Keys


def test_every_key_is_in_one_slot_of_a_cluster_and_none_is_looked_for(backend, admin):
    """Seen to fail with KEYS in `purge`."""
    admin.config_resetstat()
    backend.register(WorkerRecord("wk"), 30.0)
    backend.put([task(unique_key=f"{{{n}}}", ttl=0.0) for n in range(9)] + [task(delay=60.0)])
    claims = backend.claim("wk", {"g": 8})
    fault = Fault("E", "no")
    backend.finish("wk", [Succeeded(claims[0], b""), Retried(claims[1], 9.0, fault)])
    backend.finish("wk", [Failed(claims[2], fault)])
    backend.release("wk", claims[3:4], parked=True)
    backend.cancel([claims[4].id])
    backend.pause(["g"])
    backend.fire("s", None, b"1", [task()])
    backend.list_tasks(TaskFilter())
    backend.groups()
    backend.restore("wk", limit=1)
    backend.purge()

    commands = {name.removeprefix("cmdstat_") for name in admin.info("commandstats")}
    keys = list(admin.scan_iter())
    assert len(keys) > 20
    assert {key_slot(key.encode()) for key in keys} == {key_slot(b"{taskkitx}")}
    assert not commands & {"keys", "scan"}


def test_a_store_of_another_layout_is_refused(backend, admin):
    admin.set("{taskkitx}:version", "99")

    with pytest.raises(SchemaMismatch, match="layout 99"):
        backend.open()


# Trouble


def test_a_closed_port(redis_server):
    url = f"redis://127.0.0.1:{redis_server.port}/0"
    redis_server.stop()
    backend, _ = connect(url, HASTY)

    with pytest.raises(StoreUnavailable, match="does not answer"):
        backend.open()
    with pytest.raises(StoreUnavailable, match=str(redis_server.port)):
        backend.put([task()])


@pytest.mark.parametrize(
    ("access", "words"),
    [("", "wants a password"), (":wrong@", "refuses"), ("nobody:wrong@", "refuses")],
)
def test_a_password_that_is_wrong_or_missing(redis_server, admin, access, words):
    url = f"redis://{access}127.0.0.1:{redis_server.port}/0"
    backend, _ = connect(url, HASTY)
    admin.config_set("requirepass", "right")
    try:
        with pytest.raises(ConfigurationError, match=words):
            backend.open()
        with pytest.raises(StoreUnavailable, match=words):
            backend.put([task()])
    finally:
        admin.config_set("requirepass", "")


def test_a_primary_that_was_demoted(backend, admin):
    """Seen to fail with errors told apart by redis-py's texts, which lack the code."""
    backend.put([task()])
    admin.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable, match="read-only"):
            backend.put([task()])
        with pytest.raises(StoreUnavailable, match="read-only"):
            backend.claim("wk", {"g": 1})
    finally:
        admin.replicaof("NO", "ONE")

    assert len(backend.claim("wk", {"g": 1})) == 1


def test_a_full_redis_keeps_leases_and_lets_work_be_done(backend, admin):
    """Seen to fail with writes in the scripts' first place that a full Redis refuses."""
    backend.register(WorkerRecord("wk"), 30.0)
    backend.put([task(ttl=0.0) for _ in range(4)])
    admin.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            backend.put([task()])
        done, failed, retried, released = backend.claim("wk", {"g": 4})
        fault = Fault("E", "no")
        outcomes = [Succeeded(done, b""), Failed(failed, fault), Retried(retried, 0.0, fault)]
        assert len(backend.finish("wk", outcomes)) == 3
        assert backend.release("wk", [released]) == 1
        assert set(backend.renew({"wk": {}}, 30.0)) == {"wk"}
        backend.register(WorkerRecord("new"), 30.0)
        backend.pause(["g"])
        assert backend.purge() == 2
    finally:
        admin.config_set("maxmemory", 0)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            redis.ResponseError("MISCONF Redis is configured to save"),
            StoreUnavailable,
            "cannot save",
        ),
        # As Redis 6.2 says it from inside a script
        (redis.ResponseError("ERR Error running script: -OOM command"), StoreUnavailable, "maxmem"),
        (redis.BusyLoadingError("Redis is loading"), StoreUnavailable, "still loading"),
        (MasterDownError("Link with MASTER is down"), StoreUnavailable, "lost its primary"),
        (ClusterDownError("The cluster is down"), StoreUnavailable, "cluster that is down"),
        (MovedError("3999 127.0.0.1:6381"), StoreUnavailable, "own this store's slot"),
        (redis.ResponseError("BUSY Redis is busy running a script"), StoreUnavailable, "busy"),
        (redis.ConnectionError("max number of clients reached"), StoreUnavailable, "maxclients"),
        (redis.TimeoutError("Timeout reading"), StoreUnavailable, "does not answer"),
        (redis.ResponseError("Protocol error: invalid bulk length"), StoreRefused, "keep this"),
        (redis.DataError("Invalid input of type"), StoreRefused, "keep this"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_redis_says_is_told_apart_from_what_is_wrong_with_a_task(error, kind, words):
    told = translated(error, "here")

    assert type(told) is kind
    assert words in str(told)


def test_a_server_that_forgot_a_connection_is_met_by_a_new_one(backend, admin):
    backend.put([task()])
    admin.client_kill_filter(_type="normal", skipme=True)

    assert len(backend.claim("wk", {"g": 1})) == 1


# What Redis has lost


def test_a_task_whose_data_were_evicted_is_told_and_passed_over(backend, admin, capfd):
    lost, kept = task(), task()
    backend.put([lost, kept])
    admin.delete(f"{{taskkitx}}:task:{lost.id}")

    claims = backend.claim("wk", {"g": 1})

    assert [claim.id for claim in claims] == [kept.id]
    assert backend.claim("wk", {"g": 1}) == []
    told = capfd.readouterr().err
    assert "lost the data of 1 queued tasks" in told
    assert lost.id in told


def test_a_store_that_was_emptied_knows_its_workers_again(backend, admin, redis_url):
    """Seen to fail without the epoch: a worker nobody knows has been buried, and must not go on."""
    keeper, _ = connect(redis_url)
    backend.register(WorkerRecord("wk", host="here"), 30.0)
    assert set(keeper.renew({"wk": {}, "buried": {}}, 30.0)) == {"wk"}
    backend.put([task()])
    (stale,) = backend.claim("wk", {"g": 1})

    admin.flushall()

    assert set(keeper.renew({"wk": {"a": 1}}, 30.0)) == {"wk"}
    backend.put([task()])
    answer = backend.exchange("wk", [Succeeded(stale, b"")], {"g": 1})
    assert (set(answer.accepted), answer.claims) == (set(), [])
    assert [worker.host for worker in keeper.workers()] == ["here"]
    assert len(backend.claim("wk", {"g": 1})) == 1
    assert set(keeper.renew({"wk": {}, "buried": {}}, 30.0)) == {"wk"}
    keeper.close()


def test_what_redis_may_lose_is_told_when_work_begins(backend, admin, capfd):
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("appendonly", "no")
    try:
        with backend.listen(lambda _: None):
            told = capfd.readouterr().err
    finally:
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("appendonly", "yes")

    assert told.count("\n") == 1
    assert "appendonly" in told
    assert "allkeys-lru" in told
    assert risks(backend.connections) == []
    assert redis_loses_data.level == "warning"


def test_a_redis_that_is_nearly_full_is_an_alarm(backend, admin):
    assert backend.alarms() == []
    admin.config_set("maxmemory", int(admin.info("memory")["used_memory"] * 1.05))
    try:
        (alarm,) = backend.alarms()
    finally:
        admin.config_set("maxmemory", 0)

    assert "of its maxmemory" in alarm


# Who listens


def test_a_listener_reconnects_and_looks_at_everything(backend, admin):
    """Seen to fail with a listener whose thread ends with its connection."""
    heard: queue.SimpleQueue[frozenset[str] | None] = queue.SimpleQueue()
    with backend.listen(heard.put):
        admin.client_kill_filter(_type="pubsub")

        assert heard.get(timeout=PATIENCE) is None
        backend.put([task()])
        assert heard.get(timeout=PATIENCE) == frozenset({"g"})


def test_who_waits_for_a_result_is_woken_after_a_reconnect(backend, admin):
    backend.put([task()])
    (claimed,) = backend.claim("wk", {"g": 1})

    with backend.watch(claimed.id) as watch:
        admin.client_kill_filter(_type="pubsub")
        while backend.get_many([claimed.id])[claimed.id].state is TaskState.RUNNING:
            watch.wait(PATIENCE)
            backend.finish("wk", [Succeeded(claimed, b"")])
        watch.wait(0.0)


def test_control_events_sent_while_a_listener_was_cut_off_are_received(redis_url, admin):
    """Seen to fail with events that are published and kept nowhere."""
    (backend, receiver), (_, sender) = connect(redis_url), connect(redis_url)
    events = receiver.receive_events()
    sender.send_event({"name": "pause", "groups": ["a"]})
    assert next(events)["groups"] == ["a"]

    admin.client_kill_filter(_type="normal", skipme=True)
    sender.send_event({"name": "pause", "groups": ["b"]})
    admin.flushall()
    sender.send_event({"name": "pause", "groups": ["c"]})

    assert next(events)["groups"] in (["b"], ["c"])
    receiver.close()
    backend.close()


def test_a_forked_child_has_connections_of_its_own(backend):
    """Seen to fail with idle connections kept across the fork."""
    backend.put([task()])
    mine = backend.connections.ask("CLIENT", "ID")

    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, b"%d" % backend.connections.ask("CLIENT", "ID"))
        os._exit(0)
    os.waitpid(pid, 0)

    assert int(os.read(reader, 100)) != mine
    assert backend.connections.ask("CLIENT", "ID") == mine
    os.close(reader)
    os.close(writer)
