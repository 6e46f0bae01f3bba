"""What a worker's claiming thread does now and then: progress, cancels, reconciling, parked tasks, old stock."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from taskkitx import log
from taskkitx.backend import Backend
from taskkitx.settings import Settings
from taskkitx.task import Task
from taskkitx.worker.attempt import Handler
from taskkitx.worker.running import Running
from taskkitx.worker.services import Services

PROGRESS_INTERVAL = 0.25
CANCEL_INTERVAL = 1.0
STOCK_INTERVAL = 1.0
PARKED_INTERVAL = 2.0
MOST_PARKED = 100
RECONCILE_AGE = 10.0
"""A claim younger than that may still be on its way to us."""


class Claimant(Protocol):
    """The worker as its chores see it."""

    id: str

    @property
    def groups(self) -> Sequence[str]:
        """The groups it claims for."""
        ...

    @property
    def accepting(self) -> bool:
        """Whether it takes new tasks."""
        ...

    @property
    def in_flight(self) -> Mapping[str, Task]:
        """What it has claimed and not yet settled."""
        ...

    def hand_out(self, claims: Sequence[Task]) -> None:
        """Run these claims."""
        ...

    def take_old_stock_back(self) -> None:
        """Release what no thread will begin soon."""
        ...


class Chores:
    """The chores of one worker, each at its own interval."""

    def __init__(
        self,
        backend: Backend,
        handler: Handler,
        worker: Claimant,
        running: Running,
        settings: Settings,
    ) -> None:
        """Reconciling starts after a first interval: a new worker owns nothing."""
        self._backend = backend
        self._worker = worker
        self._running = running
        self._known_names = getattr(handler, "known_names", None)
        self._reconcile_interval = settings.reconcile_interval
        self._reconciled_once = False
        self._reconcile_age = min(RECONCILE_AGE, settings.reconcile_interval)
        self._services = Services(
            {
                "progress": self._write_progress,
                "cancels": self._hear_of_cancels,
                "old stock": self._release_old_stock,
                "reconcile": self._reconcile,
                "parked tasks": self._claim_parked,
            }
        )

    @property
    def next_at(self) -> float:
        """When the next chore is due, in monotonic seconds."""
        return self._services.next_at

    def run_due(self) -> None:
        """Do what is due."""
        self._services.run_due()

    def _write_progress(self) -> float:
        """A refused write says that the attempt lost its task or that its end was asked for: look at once."""
        for current, progress in self._running.fresh_progress():
            if not self._backend.progress(self._worker.id, current.task, progress):
                self._services.hurry("cancels")
        return PROGRESS_INTERVAL

    def _hear_of_cancels(self) -> float:
        in_flight = self._worker.in_flight
        if in_flight:
            ids = self._backend.cancel_requested(self._worker.id)
            self._running.tell_cancelled(
                {(id, in_flight[id].attempt) for id in ids if id in in_flight}
            )
        return CANCEL_INTERVAL

    def _release_old_stock(self) -> float:
        self._worker.take_old_stock_back()
        return STOCK_INTERVAL

    def _reconcile(self) -> float:
        """Give back what the store says is ours and we know nothing of: the claim whose reply was lost."""
        if not self._reconciled_once:
            self._reconciled_once = True
            return self._reconcile_interval
        in_flight = self._worker.in_flight
        unknown = [
            (task_id, attempt)
            for task_id, attempt in self._backend.owned(self._worker.id, self._reconcile_age)
            if task_id not in in_flight or in_flight[task_id].attempt != attempt
        ]
        if unknown:
            records = self._backend.get_many([task_id for task_id, _ in unknown])
            claims = [
                records[task_id].task
                for task_id, attempt in unknown
                if task_id in records and records[task_id].task.attempt == attempt
            ]
            log.reconciled(self._worker.id, self._backend.release(self._worker.id, claims))
        return self._reconcile_interval

    def _claim_parked(self) -> float:
        """Tasks that came before the code that knows them."""
        if self._known_names is None or not self._worker.accepting:
            return PARKED_INTERVAL
        for group in self._worker.groups:
            names = self._known_names(group)
            if names:
                self._worker.hand_out(
                    self._backend.claim_parked(self._worker.id, group, names, MOST_PARKED)
                )
        return PARKED_INTERVAL
