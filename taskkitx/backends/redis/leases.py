"""Who works on a Redis, and how one that has lost its data is noticed.

A store that was emptied, or restarted without its data, has another epoch: a random word that lives as long as the
data. Workers it has forgotten that way register again and go on; those it has buried do not.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any

from taskkitx import log
from taskkitx.backends.redis import fields
from taskkitx.backends.redis.fields import text, to_text
from taskkitx.backends.redis.keys import VERSION
from taskkitx.record import Lost, WorkerRecord

_store_emptied = log.Event(
    "error",
    "store_emptied",
    "Redis at {server} has lost everything it knew (emptied, or restarted without its data): tasks that waited or ran "
    "are gone, outcomes of what still runs will be refused; worker {worker_id} registers again",
)


class Leases:
    """The verbs on workers, and what one process remembers of those it registered."""

    def __init__(self, run: Callable[..., Any], where: str) -> None:
        """`run(script, *arguments)` asks the store; `where` names the server."""
        self._run = run
        self._where = where
        self._registered: dict[str, tuple[WorkerRecord, float, bytes]] = {}
        self._renewed_in = b""
        """The epoch in which leases were renewed last."""

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        """Make a worker known, its lease from now."""
        record, info = fields.worker_arguments(worker)
        epoch = self._run("register", worker.id, record, info, ttl, VERSION, _new_epoch())
        self._registered[worker.id] = worker, ttl, epoch

    def epoch_of(self, worker_id: str) -> bytes:
        """In which epoch it was registered here; empty when it was not."""
        known = self._registered.get(worker_id)
        return known[2] if known else b""

    def register_again(self, worker_id: str) -> None:
        """The store has lost everything, its workers too."""
        _store_emptied(server=self._where, worker_id=worker_id)
        worker, ttl, _ = self._registered[worker_id]
        self.register(worker, ttl)

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        """Extend leases; the ids of the workers that are known."""
        infos = [
            part
            for worker_id, info in workers.items()
            for part in (worker_id, fields.info_argument(info))
        ]
        epoch, known = self._run("renew", ttl, self._renewed_in, _new_epoch(), *infos)
        self._renewed_in = epoch
        return set(map(to_text, known))

    def deregister(self, worker_ids: Collection[str]) -> None:
        """They have left."""
        self._run("deregister", *worker_ids)
        for worker_id in worker_ids:
            self._registered.pop(worker_id, None)

    def known_workers(self) -> list[WorkerRecord]:
        """All of them, oldest first."""
        known = [fields.to_worker(row) for row in self._run("workers")]
        return sorted(known, key=lambda worker: (worker.started, worker.id))

    def expired_workers(self) -> list[str]:
        """Those whose lease is over, and those who own tasks without one."""
        return sorted(map(to_text, self._run("expired_workers")))


def restore_arguments(
    charged: Mapping[str, Lost], suspects: Mapping[str, Lost], lost: Lost | None
) -> list[Any]:
    """What becomes of a worker's tasks, as `lua/restore.lua` reads it after worker, limit and seed."""
    everybody = lost or Lost("")
    arguments: list[Any] = [int(lost is not None), text(everybody.cause), text(everybody.trace)]
    for task_id, loss in suspects.items():
        arguments += (task_id, "suspect", text(loss.cause), text(loss.trace), int(loss.alone))
    for task_id, loss in charged.items():
        arguments += (task_id, "charged", text(loss.cause), text(loss.trace), int(loss.again))
    return arguments


def _new_epoch() -> bytes:
    """What a store without an epoch takes as its own."""
    return secrets.token_hex(8).encode()
