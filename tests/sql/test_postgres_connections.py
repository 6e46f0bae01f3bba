"""Connections of one process: few, its own, and found again when they break."""

import os
import threading

import psycopg
import pytest

from taskkitx import Task, connect
from taskkitx.backends.sql import postgres_driver
from taskkitx.backends.sql.postgres import PostgresBackend
from taskkitx.errors import ConfigurationError, StoreUnavailable
from tests.proxy import Proxy

PATIENCE = 15.0


@pytest.fixture
def url(empty_postgres_url):
    return empty_postgres_url


@pytest.fixture
def backend(url):
    backend, _ = connect(url)
    backend.open()
    yield backend
    backend.close()


@pytest.fixture
def proxy(postgres):
    proxy = Proxy(postgres.port)
    yield proxy
    proxy.close()


def in_a_child(work):
    """What `work` returns in a forked child, as its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_must_not_use_its_parents_connections(backend):
    def use():
        try:
            backend.put([Task.init("g", "n", b"")])
        except RuntimeError as error:
            return 1 if "forked child" in str(error) else 2
        return 0

    assert in_a_child(use) == 1


def test_a_child_that_closes_takes_nothing_from_its_parent(backend):
    def close_and_use():
        backend.close()
        return 0 if backend.put([Task.init("g", "n", b"")])[0].created else 1

    assert in_a_child(close_and_use) == 0
    assert backend.put([Task.init("g", "n", b"")])[0].created
    assert len(backend.claim("w", {"g": 9})) == 2


def test_no_more_than_the_pool_allows(url):
    backend, _ = connect(f"{url}?pool=2&application_name=counted")
    backend.open()
    threads = [
        threading.Thread(
            target=lambda: [backend.put([Task.init("g", "n", b"")]) for _ in range(20)]
        )
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with psycopg.connect(url) as connection:
        count = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'"
        ).fetchone()
    assert count in ((1,), (2,))
    assert len(backend.claim("w", {"g": 999})) == 160
    backend.close()


def test_a_listener_is_found_again(url, proxy, backend, tmp_path, monkeypatch):
    """As on another host: no datagram reaches it."""
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path))
    other, _ = connect(proxy.through(url))
    begun, heard = threading.Semaphore(0), threading.Semaphore(0)

    def on_work(groups):
        (begun if groups is None else heard).release()

    with other.listen(on_work):
        assert begun.acquire(timeout=PATIENCE)
        proxy.cut()
        assert begun.acquire(timeout=PATIENCE)
        backend.put([Task.init("g", "n", b"")])
        assert heard.acquire(timeout=PATIENCE)
    other.close()


def test_everything_works_behind_a_transaction_pooler(url, monkeypatch):
    """No server connection keeps anything from one transaction to the next: here each is a new one."""
    backend = PostgresBackend(f"{url}?pooler=1&application_name=pooled")
    backend.open()
    pool = backend._pool
    run = pool.run

    def run_on_a_new_one(work, **options):
        pool._drop_idle()
        return run(work, **options)

    monkeypatch.setattr(pool, "run", run_on_a_new_one)
    tasks = [Task.init("g", "n", b"") for _ in range(3)]

    backend.put(tasks)
    claims = backend.claim("w", {"g": 3})
    backend.release("w", claims[:1])
    backend.cancel([claims[1].id])

    assert [task.id for task in backend.claim("w", {"g": 3})] == [claims[0].id]
    assert set(backend.cancel_requested("w")) == {claims[1].id}
    with backend.listen(lambda _: None), psycopg.connect(url) as connection:
        listening = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'pooled' AND query LIKE 'LISTEN%'"
        ).fetchall()
    assert listening == []
    backend.close()


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(url, proxy, monkeypatch):
    """Seen to wait for ever where only the kernel is asked: it goes on acknowledging what nobody reads."""
    monkeypatch.setattr(postgres_driver, "ANSWER_WITHIN", 1.0)
    backend = PostgresBackend(proxy.through(url), enqueue_timeout=2.0)
    backend.open()
    task = Task.init("g", "n", b"")

    proxy.stall()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        backend.put([task])
    proxy.go_on()

    backend.put([task])
    assert [claim.id for claim in backend.claim("w", {"g": 2})] == [task.id]
    backend.close()


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        ("nobody_known", "postgres", "role .* does not exist.*check the user"),
        ("postgres", "missing", "database .* does not exist.*createdb"),
    ],
)
def test_what_can_never_work_is_said_at_once(postgres, user, database, words):
    url = f"postgresql://{user}@127.0.0.1:{postgres.port}/{database}"

    with pytest.raises(ConfigurationError, match=words) as caught:
        connect(url)[0].open()

    assert "\n" not in str(caught.value)


def test_a_closed_port_may_open_later(postgres, proxy):
    url = proxy.through(postgres.url("postgres"))
    proxy.refuse()

    with pytest.raises(StoreUnavailable, match="Connection refused") as caught:
        connect(url)[0].open()

    assert "\n" not in str(caught.value)
