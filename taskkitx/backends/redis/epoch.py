"""A store that was emptied, or restarted without its data, is told from one that has buried a worker: by its epoch, a
random word that lives as long as the data. Workers it has forgotten that way register again and go on."""

import secrets
from collections.abc import Collection

from taskkitx.record import WorkerRecord


def new_epoch() -> bytes:
    """What a store without an epoch takes as its own."""
    return secrets.token_hex(8).encode()


class Memory:
    """What one process remembers, so that it can tell a store that has forgotten it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._workers: dict[str, tuple[WorkerRecord, float, bytes]] = {}
        self.renewed_in = b""
        """The epoch in which leases were renewed last."""

    def registered(self, worker: WorkerRecord, ttl: float, epoch: bytes) -> None:
        """The store knows this worker, in this epoch."""
        self._workers[worker.id] = worker, ttl, epoch

    def epoch_of(self, worker_id: str) -> bytes:
        """In which epoch it was registered here; empty when it was not."""
        known = self._workers.get(worker_id)
        return known[2] if known else b""

    def registration(self, worker_id: str) -> tuple[WorkerRecord, float]:
        """What it was registered with."""
        worker, ttl, _ = self._workers[worker_id]
        return worker, ttl

    def forget(self, worker_ids: Collection[str]) -> None:
        """They have left."""
        for worker_id in worker_ids:
            self._workers.pop(worker_id, None)
