"""The port's verbs on a store inside the process: each one takes the store's lock, reads the clock once, and says what
changes. What an event makes of a task is in `row`, what all verbs share in `store`."""

import heapq
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakSet

from taskkitx import clock as clocks
from taskkitx.backend import Subscription, Watch
from taskkitx.backends.memory import cycle, reads
from taskkitx.backends.memory import row as rows
from taskkitx.backends.memory.hints import MemoryListener, MemoryWatch
from taskkitx.backends.memory.row import Row
from taskkitx.backends.memory.store import Lease, MemoryStore, store_at
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
            claims: list[Task] = []
            for group, limit in wanted.items():
                if limit > 0:
                    cycle.promote(store, group, now)
                    queued = cycle.claimable(store, {group}, TaskState.QUEUED)
                    claims += cycle.claim(store, worker_id, queued, limit, now)
            return Exchanged(accepted, claims)

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
            dues = (
                row.task.due - now
                for row in store.tasks.values()
                if row.state is TaskState.SCHEDULED and row.task.group in groups
            )
            return min(dues, default=None)

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
            store.leases[worker.id] = Lease(replace(worker, started=now), now + ttl)

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        with self._verb() as (store, now):
            known = workers.keys() & store.leases.keys()
            for worker_id in known:
                worker = replace(store.leases[worker_id].worker, info=dict(workers[worker_id]))
                store.leases[worker_id] = Lease(worker, now + ttl)
            return known

    def deregister(self, worker_ids: Collection[str]) -> None:
        with self._verb() as (store, _):
            for worker_id in worker_ids:
                if not store.running(worker_id):
                    store.leases.pop(worker_id, None)

    def workers(self) -> list[WorkerRecord]:
        with self._verb() as (store, now):
            known = [
                replace(lease.worker, lease_left=lease.end - now) for lease in store.leases.values()
            ]
            return sorted(known, key=lambda worker: (worker.started, worker.id))

    def expired_workers(self) -> list[str]:
        with self._verb() as (store, now):
            alive = {worker_id for worker_id, lease in store.leases.items() if lease.end > now}
            owners = {
                row.task.worker_id or ""
                for row in store.tasks.values()
                if row.state is TaskState.RUNNING
            }
            return sorted((store.leases.keys() | owners) - alive)

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        charged, suspects = charged or {}, suspects or {}
        with self._verb() as (store, now):

            def taken_back(row: Row) -> Row:
                if loss := charged.get(row.task.id):
                    return rows.charged(row, loss, now)
                if loss := suspects.get(row.task.id):
                    return rows.suspected(row, loss, now)
                return rows.freed(row, now) if lost is None else rows.vanished(row, lost, now)

            page = store.running(worker_id)[:limit]
            store.save(map(taken_back, page), now)
            if not store.running(worker_id):
                store.leases.pop(worker_id, None)
            return len(page)

    # Commands on tasks

    def cancel(
        self, ids: Collection[str], by: str = "", *, states: Collection[TaskState] | None = None
    ) -> dict[str, TaskState]:
        with self._verb() as (store, now):
            wanted = [row for row in store.known(ids) if states is None or row.state in states]
            store.save([rows.cancelled(row, by, now) for row in wanted], now)
            return {row.task.id: row.state for row in store.known(ids)}

    def retry(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        with self._verb() as (store, now):
            finished = [
                row
                for row in store.known(ids)
                if row.state.finished and (states is None or row.state in states)
            ]
            store.save((rows.renewed(row, now) for row in finished), now)
            return len(finished)

    def discard(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        with self._verb() as (store, _):
            unwanted = [
                row.task.id
                for row in store.known(ids)
                if row.state is not TaskState.RUNNING and (states is None or row.state in states)
            ]
            store.delete(unwanted)
            return len(unwanted)

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
            found = [
                row
                for row in store.tasks.values()
                if reads.matches(row, which) and (after is None or row.task.id < after)
            ]
            page = heapq.nlargest(limit, found, key=lambda row: row.task.id)
            return [row.record for row in page]

    def groups(self, cap: int = 10_000) -> list[GroupStatus]:
        with self._verb() as (store, now):
            by_group: dict[str, list[Row]] = {
                group: [] for group, paused in store.paused.items() if paused
            }
            for row in store.tasks.values():
                by_group.setdefault(row.task.group, []).append(row)
            return [
                reads.group_status(group, members, store.is_paused(group), cap, now)
                for group, members in sorted(by_group.items())
            ]

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        self._set_paused(groups, True)

    def resume(self, groups: Collection[str] | None) -> None:
        self._set_paused(groups, False)
        self._store.hints.work(groups)

    def _set_paused(self, groups: Collection[str] | None, paused: bool) -> None:
        with self._verb() as (store, _):
            if groups is None:
                store.all_paused = paused
                store.paused.clear()
            else:
                store.paused.update(dict.fromkeys(groups, paused))

    # Schedules

    def scheduler_state(self, scheduler: str) -> bytes | None:
        with self._verb() as (store, _):
            return store.schedulers.get(scheduler)

    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        with self._verb() as (store, now):
            if store.schedulers.get(scheduler) != expected:
                return False
            store.schedulers[scheduler] = state
            store.put(tasks, now)
            return True

    # Retention

    def purge(self, limit: int = 1000) -> int:
        with self._verb() as (store, now):
            disposable = sorted(
                (row.disposable, row.task.id)
                for row in store.tasks.values()
                if row.disposable is not None and row.disposable <= now
            )
            store.delete([task_id for _, task_id in disposable[:limit]])
            return len(disposable[:limit])

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
