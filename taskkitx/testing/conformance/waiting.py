"""Every way for a task to wait."""

from collections.abc import Callable

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Retried
from taskkitx.task import Task
from taskkitx.testing.conformance.given import (
    FAULT,
    WORKER,
    make_suspect,
    put_and_claim,
    put_one,
)

Given = Callable[[Backend], Task]


def queued(backend: Backend) -> Task:
    """For a worker."""
    return put_one(backend)


def scheduled(backend: Backend) -> Task:
    """For its time."""
    return put_one(backend, due=backend.now() + 3600)


def solo(backend: Backend) -> Task:
    """In the solo lane."""
    return make_suspect(backend)


def parked(backend: Backend) -> Task:
    """For a worker that knows its name."""
    task = put_and_claim(backend)
    backend.release(WORKER, [task], parked=True)
    return task


def retried(backend: Backend) -> Task:
    """For its next attempt."""
    task = put_and_claim(backend)
    backend.finish(WORKER, [Retried(task, 3600.0, FAULT)])
    return task


EVERY_WAITING = pytest.mark.parametrize(
    "waiting",
    [queued, scheduled, solo, parked, retried],
    ids=lambda given: given.__name__,
)
