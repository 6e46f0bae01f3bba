"""A database server that goes away and comes back: workers stay, say so once, and go on by themselves."""

import random
import time
from collections import Counter
from contextlib import closing, contextmanager

import psycopg
import pytest

from taskkitx.errors import StoreUnavailable
from tests.processes.ledger import APP
from tests.processes.promises import Ledger, assert_kept_every_promise, feed, finish
from tests.proxy import Proxy
from tests.servers import connect_plainly

SEED = 20_000
SETTINGS = {"poll_interval": 0.3, "lease_ttl": 6.0}
SERVERS = {"postgres": "postgres", "mysql": "mariadb"}


on_servers = pytest.mark.parametrize("store", ["postgres", "mysql"], indirect=True)


@pytest.fixture
def server(request, store):
    """The private server behind the store."""
    return request.getfixturevalue(SERVERS[request.node.callspec.params["store"]])


def assert_nobody_left(tree):
    for event in ("worker_died", "keeper_died", "worker_ended", "keeper_silent"):
        assert tree.seen(event) == [], tree.text


def assert_log_is_quiet(tree, seconds):
    """At most one line a second of each kind and each thread that talks to the store."""
    kinds = Counter((line["event"], line.get("who"), line.get("pid")) for line in tree.lines)
    noisy = {kind: count for kind, count in kinds.items() if count > seconds + 5}
    assert not noisy, noisy


def wait_executed(tmp_path, count):
    """Until that many attempts have been started, as the ledger tells."""
    deadline = time.monotonic() + 30
    while not (tmp_path / "ledger").exists() or len(Ledger(tmp_path / "ledger").started) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a file tells nobody when it changes


@on_servers
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_is_gone_for_a_while_costs_no_process_and_no_task(
    tree, kit, server, tmp_path, soak, end
):
    seconds = 60.0 if soak else 4.0
    made = tree(APP, toy=False, groups={"default": 4}, settings=SETTINGS)
    made.wait("supervisor_ready")
    ids = feed(kit, random.Random(SEED), 1500)
    wait_executed(tmp_path, 200)

    getattr(server, end)()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        kit.initiate_task("default", "noop", {})
    waited = time.monotonic() - began
    made.sleep(seconds)
    server.start()

    ids += feed(kit, random.Random(SEED), 20)
    finish(kit, ids)
    assert waited < kit.settings.enqueue_timeout + 5
    assert_nobody_left(made)
    assert_log_is_quiet(made, seconds)
    assert made.seen("store_down")
    assert made.seen("store_up")
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))


@contextmanager
def read_only(url):
    """As after a failover that has not ended."""
    postgres = url.startswith("postgresql")
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        for statement in POSTGRES_READ_ONLY if postgres else ["SET GLOBAL read_only = 1"]:
            cursor.execute(statement)
        yield
        for statement in POSTGRES_WRITABLE if postgres else ["SET GLOBAL read_only = 0"]:
            cursor.execute(statement)


POSTGRES_READ_ONLY = (
    "ALTER SYSTEM SET default_transaction_read_only = on",
    "SELECT pg_reload_conf()",
)
POSTGRES_WRITABLE = (
    "SET default_transaction_read_only = off",
    "ALTER SYSTEM RESET default_transaction_read_only",
    "SELECT pg_reload_conf()",
)


@on_servers
def test_a_server_that_became_read_only_is_waited_for(tree, kit, store):
    made = tree(APP, toy=False, groups={"default": 2}, settings=SETTINGS)
    made.wait("supervisor_ready")
    assert kit.initiate_task("default", "noop", {}).get(timeout=20) == 1

    with read_only(store):
        made.wait("store_down")
        with pytest.raises(StoreUnavailable, match="read-only"):
            kit.initiate_task("default", "noop", {})

    assert kit.initiate_task("default", "noop", {}).get(timeout=20) == 1
    assert_nobody_left(made)


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_an_old_snapshot_is_told_of_in_the_log(tree, kit, store):
    with psycopg.connect(store) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM taskkitx_task")

        made = tree(APP, toy=False, environ={"TEST_URL": f"{store}?alarm=0"})

        line = made.wait("store_alarm")
        assert f"pid {connection.info.backend_pid}" in line["alarm"]


@on_servers
@pytest.mark.timeout(200)
def test_replies_lost_again_and_again_leave_nothing_behind(tree, kit, server, store, tmp_path):
    """Outcomes are asked for again; claims that nobody knows of are given back by the reconcile."""
    proxy = Proxy(server.port)
    settings = {**SETTINGS, "reconcile_interval": 1.0}
    environ = {"TEST_URL": proxy.through(store)}
    made = tree(APP, toy=False, groups={"default": 4}, settings=settings, environ=environ)
    made.wait("supervisor_ready")
    ids = feed(kit, random.Random(SEED), 400)
    proxy.refuse_after_loss = True

    for _ in range(5):
        # What names the group is a claim, mostly with the outcomes of the last one.
        proxy.lose_reply_to(b"default")
        ids += feed(kit, random.Random(SEED), 20)
        proxy.wait_lost()
        made.sleep(0.3)
        proxy.accept_again()

    finish(kit, ids)
    assert_nobody_left(made)
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))
    proxy.close()
