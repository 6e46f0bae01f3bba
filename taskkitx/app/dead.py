"""Dead letters: tasks that have failed for good, to be looked at, run again, or thrown away. All in pages."""

from collections.abc import Collection
from dataclasses import replace

from taskkitx.app.reading import pages_of_ids
from taskkitx.backend import Backend
from taskkitx.record import TaskFilter
from taskkitx.task import TaskState

FAILED = frozenset({TaskState.FAILED})
SUCCEEDED = frozenset({TaskState.SUCCEEDED})


def failed(
    backend: Backend,
    group: str | None = None,
    name: str | None = None,
    older_than: float | None = None,
) -> TaskFilter:
    """Those of this group and name that failed more than `older_than` seconds ago, by the store's clock."""
    return _finished(backend, FAILED, group, name, older_than)


def succeeded(
    backend: Backend, group: str | None, name: str | None, older_than: float | None
) -> TaskFilter:
    """The same for those that succeeded."""
    return _finished(backend, SUCCEEDED, group, name, older_than)


def _finished(
    backend: Backend,
    states: frozenset[TaskState],
    group: str | None,
    name: str | None,
    older_than: float | None,
) -> TaskFilter:
    before = backend.now() - older_than if older_than else None
    return TaskFilter(states=states, group=group, name=name, finished_before=before)


def replay(backend: Backend, ids: Collection[str]) -> int:
    """Queue these tasks again, if they have failed; attempts made so far stay in their history."""
    return backend.retry(ids, states=FAILED)


def replay_all(backend: Backend, which: TaskFilter) -> int:
    """The same for all failed tasks of a filter; one that fails again meanwhile is not replayed twice."""
    return sum(replay(backend, ids) for ids in pages_of_ids(backend, replace(which, states=FAILED)))


def purge(backend: Backend, which: TaskFilter) -> int:
    """Delete the finished tasks of a filter, with their history; returns how many."""
    assert which.states is not None
    return sum(backend.discard(ids, states=which.states) for ids in pages_of_ids(backend, which))
