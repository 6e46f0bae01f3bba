"""A server that cuts connections while nobody uses them, as servers, proxies and firewalls do: nobody notices."""

from contextlib import closing

import pytest

from taskkitx.outcome import Succeeded
from taskkitx.record import WorkerRecord
from taskkitx.task import Task
from tests.servers import connect_plainly

W = "wk_cut"


@pytest.fixture
def cut(server, direct_url):
    """End every connection to the store's database."""

    def cut():
        with closing(connect_plainly(direct_url)) as connection, connection.cursor() as cursor:
            if direct_url.startswith("postgresql"):
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                return
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'app'")
            for (number,) in cursor.fetchall():
                cursor.execute(f"KILL {number}")

    return cut


def test_every_verb_goes_on_with_a_new_connection(backend, cut):
    tasks = [Task.init("g", "n", b"data") for _ in range(3)]
    cut()
    backend.register(WorkerRecord(W), ttl=30.0)
    cut()
    assert [put.created for put in backend.put(tasks)] == [True] * 3
    cut()
    claims = backend.claim(W, {"g": 2})
    assert [task.id for task in claims] == [task.id for task in tasks[:2]]
    cut()
    assert set(backend.renew({W: {}}, ttl=30.0)) == {W}
    cut()
    assert set(backend.finish(W, [Succeeded(claims[0], b"1")])) == {claims[0].id}
    cut()
    assert backend.restore(W) == 1
    cut()
    assert backend.cancel([tasks[2].id]).keys() == {tasks[2].id}
    cut()
    assert backend.get_many([tasks[0].id])[tasks[0].id].result == b"1"
