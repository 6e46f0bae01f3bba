"""What only the memory store does: names, no transactions, nothing left behind."""

import threading

import pytest

from taskkitx.backends.memory import MemoryBackend, MemoryBridge
from taskkitx.backends.memory.store import store_at
from taskkitx.task import Task


def test_the_same_url_is_the_same_store():
    task = Task.init("g", "n", b"")

    MemoryBackend("memory://unit-one").put([task])

    assert MemoryBackend("memory://unit-one").get_many([task.id]).keys() == {task.id}
    assert MemoryBackend("memory://unit-two").get_many([task.id]) == {}


def test_it_joins_no_transaction():
    backend, task = MemoryBackend("memory://unit-joins"), Task.init("g", "n", b"")

    with pytest.raises(TypeError, match="without connection"):
        backend.put([task], connection=object())

    assert backend.get_many([task.id]) == {}


def test_closed_subscriptions_leave_nothing_behind():
    url = "memory://unit-leaks"
    backend, bridge = MemoryBackend(url), MemoryBridge(url)
    before = threading.active_count()
    for _ in range(10):
        with backend.listen(lambda groups: None), backend.watch("g_1"):
            pass
    backend.listen(lambda groups: None)
    backend.watch("g_1")
    bridge.receive_events()

    backend.close()
    bridge.close()

    store = store_at(url)
    assert (store.hints.listeners, store.hints.watches, store.inboxes) == ([], [], [])
    assert threading.active_count() == before


def test_a_listener_may_close_itself():
    backend = MemoryBackend("memory://unit-closes")
    called = threading.Event()

    def on_work(groups):
        listener.close()
        called.set()

    listener = backend.listen(on_work)
    backend.put([Task.init("g", "n", b"")])

    assert called.wait(10)
