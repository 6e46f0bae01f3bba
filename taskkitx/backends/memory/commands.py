"""What people, retention and schedulers do to the tasks of a memory store. Called with the store's lock held."""

from collections.abc import Collection, Sequence

from taskkitx.backends.memory import row as rows
from taskkitx.backends.memory.row import Row
from taskkitx.backends.memory.store import MemoryStore
from taskkitx.task import Task, TaskState


def cancel(
    store: MemoryStore,
    ids: Collection[str],
    by: str,
    states: Collection[TaskState] | None,
    now: float,
) -> dict[str, TaskState]:
    """Cancel those in these states; how all of them are now."""
    store.save([rows.cancelled(row, by, now) for row in _in_states(store, ids, states)], now)
    return {row.task.id: row.state for row in store.known(ids)}


def retry(
    store: MemoryStore, ids: Collection[str], states: Collection[TaskState] | None, now: float
) -> int:
    """Queue finished ones again."""
    finished = [row for row in _in_states(store, ids, states) if row.state.finished]
    store.save((rows.renewed(row, now) for row in finished), now)
    return len(finished)


def discard(store: MemoryStore, ids: Collection[str], states: Collection[TaskState] | None) -> int:
    """Forget those that do not run."""
    unwanted = [
        row.task.id for row in _in_states(store, ids, states) if row.state is not TaskState.RUNNING
    ]
    store.delete(unwanted)
    return len(unwanted)


def _in_states(
    store: MemoryStore, ids: Collection[str], states: Collection[TaskState] | None
) -> list[Row]:
    return [row for row in store.known(ids) if states is None or row.state in states]


def set_paused(store: MemoryStore, groups: Collection[str] | None, paused: bool) -> None:
    """The last word on these groups; None for all, which forgets what was said of each."""
    if groups is None:
        store.all_paused = paused
        store.paused.clear()
    else:
        store.paused.update(dict.fromkeys(groups, paused))


def fire(
    store: MemoryStore,
    scheduler: str,
    expected: bytes | None,
    state: bytes,
    tasks: Sequence[Task],
    now: float,
) -> bool:
    """Put these tasks and keep this state, if the scheduler's state is the expected one."""
    if store.schedulers.get(scheduler) != expected:
        return False
    store.schedulers[scheduler] = state
    store.put(tasks, now)
    return True


def purge(store: MemoryStore, limit: int, now: float) -> int:
    """Forget finished tasks whose time is over, those first whose time ended first."""
    disposable = sorted(
        (row.disposable, row.task.id)
        for row in store.tasks.values()
        if row.disposable is not None and row.disposable <= now
    )
    page = [task_id for _, task_id in disposable[:limit]]
    store.delete(page)
    return len(page)
