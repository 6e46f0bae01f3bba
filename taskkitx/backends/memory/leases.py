"""Who works on a memory store, and what becomes of the tasks of those who are gone. Called under the store's lock."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from taskkitx.backends.memory import row as rows
from taskkitx.backends.memory.row import Row
from taskkitx.backends.memory.store import Lease, MemoryStore
from taskkitx.record import Lost, WorkerRecord
from taskkitx.task import TaskState


def register(store: MemoryStore, worker: WorkerRecord, ttl: float, now: float) -> None:
    """Make a worker known, its lease from now."""
    store.leases[worker.id] = Lease(replace(worker, started=now), now + ttl)


def renew(
    store: MemoryStore, workers: Mapping[str, Mapping[str, Any]], ttl: float, now: float
) -> Collection[str]:
    """Extend leases; the ids of the workers that are known."""
    known = workers.keys() & store.leases.keys()
    for worker_id in known:
        worker = replace(store.leases[worker_id].worker, info=dict(workers[worker_id]))
        store.leases[worker_id] = Lease(worker, now + ttl)
    return known


def deregister(store: MemoryStore, worker_ids: Collection[str]) -> None:
    """They have left; who owns tasks yet stays, to be restored."""
    for worker_id in worker_ids:
        if not store.running(worker_id):
            store.leases.pop(worker_id, None)


def known_workers(store: MemoryStore, now: float) -> list[WorkerRecord]:
    """All of them, oldest first."""
    known = [replace(lease.worker, lease_left=lease.end - now) for lease in store.leases.values()]
    return sorted(known, key=lambda worker: (worker.started, worker.id))


def expired_workers(store: MemoryStore, now: float) -> list[str]:
    """Those whose lease is over, and those who own tasks without one."""
    alive = {worker_id for worker_id, lease in store.leases.items() if lease.end > now}
    owners = {
        row.task.worker_id or "" for row in store.tasks.values() if row.state is TaskState.RUNNING
    }
    return sorted((store.leases.keys() | owners) - alive)


def restore(
    store: MemoryStore,
    worker_id: str,
    charged: Mapping[str, Lost],
    suspects: Mapping[str, Lost],
    lost: Lost | None,
    limit: int,
    now: float,
) -> int:
    """Take back a page of what it owned; with the last of them its lease goes."""

    def taken_back(row: Row) -> Row:
        if loss := charged.get(row.task.id):
            return rows.charged(row, loss, now)
        if loss := suspects.get(row.task.id):
            return rows.suspected(row, loss, now)
        return rows.freed(row, now) if lost is None else rows.vanished(row, lost, now)

    page = store.running(worker_id)[:limit]
    store.save(map(taken_back, page), now)
    deregister(store, [worker_id])
    return len(page)
