"""A queue on each store in turn, and a worker for it when a test wants one."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from taskkitx import Queue, Settings
from tests.stores import shared_url, store_url

__all__ = ["make_queue", "queue", "shared_url", "store_url", "work"]

PATIENCE = 20.0
"""Seconds a test waits for what should happen soon."""

ON_MEMORY = pytest.mark.parametrize("store_url", ["memory"], indirect=True)
"""For what has nothing to do with the store."""

MakeQueue = Callable[..., Queue]


@pytest.fixture
def make_queue(store_url: str) -> Iterator[MakeQueue]:
    """Queues on one store, each as another program would have it."""
    made: list[Queue] = []

    def make(**options: Any) -> Queue:
        settings = Settings(poll_interval=0.1, codec_key="the key of these tests")
        queue = Queue(store_url, settings=settings, **{"workers": 4, **options})
        made.append(queue)
        return queue

    yield make
    for queue in made:
        queue.backend.close()


@pytest.fixture
def queue(make_queue: MakeQueue) -> Queue:
    """A queue."""
    return make_queue()


@contextmanager
def working(*queues: Queue) -> Iterator[None]:
    """In this block each of these queues has a worker."""
    threads = [threading.Thread(target=queue.run_worker, daemon=True) for queue in queues]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        while any(thread.is_alive() for thread in threads):
            for queue in queues:
                queue.stop_worker()  # again, for one that had not begun
            for thread in threads:
                thread.join(0.05)


@pytest.fixture
def work() -> Iterator[Callable[[Queue], None]]:
    """`work(queue)`: from now on to the end of the test it has a worker."""
    contexts: list[Any] = []

    def start(queue: Queue) -> None:
        context = working(queue)
        context.__enter__()
        contexts.append(context)

    yield start
    for context in contexts:
        context.__exit__(None, None, None)
