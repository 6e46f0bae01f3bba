"""A reply that the driver cannot read, as a proxy out of step gives: the connection is dropped, the work goes on."""

from contextlib import closing

import pytest

from taskkitx import connect
from taskkitx.record import TaskFilter
from taskkitx.task import Task
from tests.proxy import Proxy


@pytest.fixture
def proxy(mariadb):
    proxy = Proxy(mariadb.port)
    yield proxy
    proxy.close()


def test_an_answer_out_of_step_costs_a_connection_and_nothing_else(mariadb, proxy):
    # Given a store in use
    backend, _ = connect(proxy.through(mariadb.fresh_url()))
    with closing(backend):
        first, second = (Task.init("g", "n", b"data") for _ in range(2))
        backend.put([first])

        # When the replies to a write and to a read cannot be read
        proxy.garble_reply_to(b"INSERT INTO")
        put = backend.put([second])
        proxy.garble_reply_to(b"SELECT")
        listed = backend.list_tasks(TaskFilter())

        # Then both are answered as if nothing had happened
        assert put == [(second.id, True)]
        assert [record.task.id for record in listed] == [second.id, first.id]
