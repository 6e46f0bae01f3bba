"""The services every group of workers needs once: leases, taking tasks back from the dead, retention.

A keeper process composes them for the workers of a supervisor, a Runner for the worker of its own process.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any

from taskkitx import clock, log
from taskkitx.backend import Backend
from taskkitx.errors import StoreUnavailable
from taskkitx.record import Lost
from taskkitx.settings import Settings
from taskkitx.worker.services import Service

RESTORE_PAGE = 1000
PURGE_PAGE = 1000
PURGE_INTERVAL = 60.0
"""Pause of retention after a page that was not full."""
OWN_KEEPER_FIRST = 1.0
"""Seconds a dead worker is left to the keeper of its own process tree."""
ALARM_INTERVAL = 30.0
PURGE_BREATH = 0.05
"""Pause between full pages, so that retention never crowds out work."""

HOST_GONE = Lost("its worker vanished with its host or its supervisor")


def lease_service(
    backend: Backend,
    workers: Callable[[], Mapping[str, Mapping[str, Any]]],
    renewed: Callable[[str, float], None],
    settings: Settings,
) -> Service:
    """Renews the leases of `workers()` (id -> what to show people), telling each one's boot-clock time to `renewed`.

    A worker the store does not know any more is not told: its lease runs out and it stops starting tasks.
    """

    def renew() -> float:
        alive = workers()
        # The lease counts from before the request: however long it took, the store's lease ends later than ours.
        requested = clock.boottime()
        for worker_id in backend.renew(alive, settings.lease_ttl):
            renewed(worker_id, requested)
        return settings.beat

    return renew


def restore_service(
    backend: Backend,
    settings: Settings,
    is_buried: Callable[[str], bool] = lambda _: False,
    on_restored: Callable[[], None] = lambda: None,
) -> Service:
    """Takes back the tasks of workers whose lease has ended, page by page until none is left.

    A store that sees at once that a process is dead sees it as early as the worker's own keeper does, and only that
    keeper knows who is to blame: it goes first. What somebody who `is_buried` owns nevertheless, nobody has begun.
    After an outage of the store all leases have ended, and the living have one more lease's time to renew theirs.
    """
    seen: dict[str, float] = {}
    away = max(2.0, settings.lease_ttl / 2)
    looked_at = clock.monotonic()
    forgiven_until = 0.0

    def restore() -> float:
        nonlocal looked_at, forgiven_until
        expired = backend.expired_workers()
        now = clock.monotonic()
        if now - looked_at > away:
            forgiven_until = now + settings.lease_ttl
        looked_at = now
        if now < forgiven_until:
            return OWN_KEEPER_FIRST
        for worker_id in seen.keys() - set(expired):
            del seen[worker_id]
        for worker_id in expired:
            if now - seen.setdefault(worker_id, now) >= OWN_KEEPER_FIRST:
                try:
                    _take_over(backend, worker_id, None if is_buried(worker_id) else HOST_GONE)
                finally:
                    on_restored()  # also when the reply was lost: nobody will name this worker again
        if seen:
            return OWN_KEEPER_FIRST
        return min(5.0, settings.lease_ttl / 3) * random.uniform(0.9, 1.1)

    return restore


def _take_over(backend: Backend, worker_id: str, lost: Lost | None) -> None:
    try:
        log.worker_expired(worker_id, restore_all(backend, worker_id, lost=lost))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # one that cannot be restored must not keep the others waiting
        log.unexpected(f"restoring the tasks of {worker_id}", log.one_line(error))


def restore_all(
    backend: Backend,
    worker_id: str,
    *,
    charged: Mapping[str, Lost] | None = None,
    suspects: Mapping[str, Lost] | None = None,
    lost: Lost | None = None,
) -> int:
    """Take everything back from a dead worker; returns how many tasks that were."""
    total = 0
    while page := backend.restore(
        worker_id, charged=charged, suspects=suspects, lost=lost, limit=RESTORE_PAGE
    ):
        total += page
    return total


def alarm_service(backend: Backend) -> Service:
    """Tells people what is wrong with the store itself."""

    def look() -> float:
        for alarm in backend.alarms():
            log.store_alarm(alarm)
        return ALARM_INTERVAL

    return look


def retention_service(backend: Backend) -> Service:
    """Deletes finished tasks whose ttl has passed, in short transactions."""

    def purge() -> float:
        return PURGE_BREATH if backend.purge(PURGE_PAGE) >= PURGE_PAGE else PURGE_INTERVAL

    return purge
