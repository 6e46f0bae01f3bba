"""The port on a store inside the process: one verb after the other, each under the store's lock and at one time of its
clock. What takes more than a few lines is in `cycle`, `leases`, `commands` and `reads`, what they share in `store`."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakSet

from taskkitx import clock as clocks
from taskkitx.backend import Subscription, Watch
from taskkitx.backends.memory import commands, cycle, leases, reads
from taskkitx.backends.memory import row as rows
from taskkitx.backends.memory.hints import MemoryListener, MemoryWatch
from taskkitx.backends.memory.store import MemoryStore, store_at
from taskkitx.clock import Clock
from taskkitx.outcome import Outcome
from taskkitx.record import (
    Attempt,
    Exchanged,
    GroupStatus,
    Lost,
    Put,
    Record,
    TaskFilter,
    WorkerRecord,
)
from taskkitx.task import Task, TaskState

Hearer = TypeVar("Hearer", MemoryListener, MemoryWatch)


class MemoryBackend:
    """The port on `memory://NAME`; instances with the same url in one process share one store."""

    def __init__(self, url: str = "memory://", *, clock: Clock = clocks.now) -> None:
        """`clock` is the store's clock as this instance sees it."""
        self._url = url
        self._clock = clock
        self._store = store_at(url)
        self._subscriptions: WeakSet[MemoryListener | MemoryWatch] = WeakSet()

    @property
    def url(self) -> str:
        return self._url

    def now(self) -> float:
        return self._clock()

    def open(self) -> None:
        """Nothing to reach."""

    def close(self) -> None:
        with self._store.lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()

    @contextmanager
    def _verb(self) -> Generator[tuple[MemoryStore, float]]:
        """The store, for this thread alone, and its now."""
        with self._store.lock:
            yield self._store, self._clock()

    # Tasks come in

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        if connection is not None:
            raise TypeError(
                "a store in memory takes part in no transaction: put without connection"
            )
        with self._verb() as (store, now):
            return store.put(tasks, now)

    # The worker's cycle

    def claim(self, worker_id: str, wanted: Mapping[str, int]) -> list[Task]:
        return self.exchange(worker_id, [], wanted).claims

    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        return self.exchange(worker_id, outcomes, {}).accepted

    def exchange(
        self, worker_id: str, outcomes: Sequence[Outcome], wanted: Mapping[str, int]
    ) -> Exchanged:
        with self._verb() as (store, now):
            accepted = cycle.write_outcomes(store, worker_id, outcomes, now)
            return Exchanged(accepted, cycle.claim_queued(store, worker_id, wanted, now))

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        with self._verb() as (store, now):
            suspects = cycle.claimable(store, groups, TaskState.SOLO)
            due = (row for row in suspects if row.task.due <= now)
            return next(iter(cycle.claim(store, worker_id, due, 1, now)), None)

    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        with self._verb() as (store, now):
            owned = [row for task in claims if (row := cycle.owned_row(store, worker_id, task))]
            store.save((rows.released(row, parked, now) for row in owned), now)
            return len(owned)

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        with self._verb() as (store, now):
            parked = cycle.claimable(store, {group}, TaskState.PARKED)
            known = (row for row in parked if row.task.name in names)
            return cycle.claim(store, worker_id, known, limit, now)

    def owned(self, worker_id: str, older_than: float) -> list[tuple[str, int]]:
        with self._verb() as (store, now):
            return [
                (row.task.id, row.task.attempt)
                for row in store.running(worker_id)
                if (row.task.began or 0.0) < now - older_than
            ]

    def next_due(self, groups: Collection[str]) -> float | None:
        with self._verb() as (store, now):
            return reads.next_due(store, groups, now)

    def persist(self) -> None:
        """Nothing here survives the process, let alone a power loss."""

    def progress(self, worker_id: str, task: Task, progress: str) -> bool:
        with self._verb() as (store, now):
            row = cycle.owned_row(store, worker_id, task)
            if row is None or row.cancel_requested is not None:
                return False
            store.save([replace(row, progress=progress)], now)
            return True

    def cancel_requested(self, worker_id: str) -> Collection[str]:
        with self._verb() as (store, _):
            return {
                row.task.id for row in store.running(worker_id) if row.cancel_requested is not None
            }

    # Leases

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        with self._verb() as (store, now):
            leases.register(store, worker, ttl, now)

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        with self._verb() as (store, now):
            return leases.renew(store, workers, ttl, now)

    def deregister(self, worker_ids: Collection[str]) -> None:
        with self._verb() as (store, _):
            leases.deregister(store, worker_ids)

    def workers(self) -> list[WorkerRecord]:
        with self._verb() as (store, now):
            return leases.known_workers(store, now)

    def expired_workers(self) -> list[str]:
        with self._verb() as (store, now):
            return leases.expired_workers(store, now)

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        with self._verb() as (store, now):
            return leases.restore(store, worker_id, charged or {}, suspects or {}, lost, limit, now)

    # Commands on tasks

    def cancel(
        self, ids: Collection[str], by: str = "", *, states: Collection[TaskState] | None = None
    ) -> dict[str, TaskState]:
        with self._verb() as (store, now):
            return commands.cancel(store, ids, by, states, now)

    def retry(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        with self._verb() as (store, now):
            return commands.retry(store, ids, states, now)

    def discard(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        with self._verb() as (store, _):
            return commands.discard(store, ids, states)

    # Reads

    def get_many(self, ids: Collection[str]) -> dict[str, Record]:
        with self._verb() as (store, _):
            return {row.task.id: row.record for row in store.known(ids)}

    def attempts(self, task_id: str) -> list[Attempt]:
        with self._verb() as (store, _):
            return [attempt for row in store.known([task_id]) for attempt in row.history]

    def list_tasks(
        self, which: TaskFilter, *, limit: int = 50, after: str | None = None
    ) -> list[Record]:
        with self._verb() as (store, _):
            return reads.list_tasks(store, which, limit, after)

    def groups(self, cap: int = 10_000) -> list[GroupStatus]:
        with self._verb() as (store, now):
            return reads.groups(store, cap, now)

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        with self._verb() as (store, _):
            commands.set_paused(store, groups, True)

    def resume(self, groups: Collection[str] | None) -> None:
        with self._verb() as (store, _):
            commands.set_paused(store, groups, False)
        self._store.hints.work(groups)

    # Schedules

    def scheduler_state(self, scheduler: str) -> bytes | None:
        with self._verb() as (store, _):
            return store.schedulers.get(scheduler)

    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        with self._verb() as (store, now):
            return commands.fire(store, scheduler, expected, state, tasks, now)

    # Retention

    def purge(self, limit: int = 1000) -> int:
        with self._verb() as (store, now):
            return commands.purge(store, limit, now)

    # Health

    def alarms(self) -> list[str]:
        return []

    # Hints

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        return self._subscribed(MemoryListener(self._store.hints, on_work))

    def watch(self, task_id: str) -> Watch:
        return self._subscribed(MemoryWatch(self._store.hints, task_id))

    def _subscribed(self, hearer: Hearer) -> Hearer:
        """The same, to be closed with this instance."""
        with self._store.lock:
            self._subscriptions.add(hearer)
        return hearer
