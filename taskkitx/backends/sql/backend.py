"""The port on any SQL store: one verb after the other, each a few lines; what differs is a dialect's."""

import itertools
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from taskkitx.backend import Subscription, Watch
from taskkitx.backends.sql import commands, cycle, leases, puts, reads, rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.joined import after_commit
from taskkitx.backends.sql.listening import HintListener, HintWatch
from taskkitx.backends.sql.session import first
from taskkitx.backends.sql.store import SqlStore
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
from taskkitx.wakeup import LocalHints

EVENT_LIFETIME = 24 * 3600.0


class SqlBackend(SqlStore):
    """A store as a set of verbs, on what its dialect brings."""

    def __init__(self, hints: LocalHints) -> None:
        """`hints` connect the processes of this machine."""
        super().__init__(hints)
        self._seq = itertools.count(time.time_ns())

    # Tasks come in

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        if not tasks:
            return []
        groups = {task.group for task in tasks}
        if connection is not None:
            self.open()
            answers = puts.put(self._joined(connection), tasks)
            # Nobody is told before it commits.
            after_commit(connection, lambda: self._tell_work(groups))
            return answers
        answers = self._put(tasks)
        self._tell_work(groups)
        return answers

    # The worker's cycle

    def claim(self, worker_id: str, wanted: Mapping[str, int]) -> list[Task]:
        return self.exchange(worker_id, [], wanted).claims

    def finish(self, worker_id: str, outcomes: Sequence[Outcome]) -> Collection[str]:
        return self.exchange(worker_id, outcomes, {}).accepted

    def exchange(
        self, worker_id: str, outcomes: Sequence[Outcome], wanted: Mapping[str, int]
    ) -> Exchanged:
        wanted = {group: limit for group, limit in wanted.items() if limit > 0}
        simple = [outcome for outcome in outcomes if cycle.is_simple(outcome)]
        others = [outcome for outcome in outcomes if not cycle.is_simple(outcome)]
        accepted = self._write_others(worker_id, others) if others else set[str]()
        if not simple and not wanted:
            return Exchanged(accepted, [])
        written, claims = self._hot(worker_id, simple, wanted, next(self._seq))
        if simple:
            self.hints.finished([outcome.task.id for outcome in simple])
        return Exchanged(accepted | written, claims)

    def _write_others(self, worker_id: str, outcomes: Sequence[Outcome]) -> set[str]:
        """What needs history or puts more tasks has a transaction of its own, before the claim."""
        accepted = self.write(lambda session: cycle.write(session, worker_id, outcomes))
        self.hints.finished(accepted)
        groups = {task.group for outcome in outcomes for task in outcome.then}
        self._tell_work(groups | {outcome.task.group for outcome in outcomes})
        return accepted

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        seq = next(self._seq)
        claims = self.write(lambda session: commands.claim_solo(session, worker_id, groups, seq))
        return claims[0] if claims else None

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        if not self.read(lambda session: commands.any_parked(session, group, names)):
            return []
        seq = next(self._seq)
        return self.write(
            lambda session: commands.claim_parked(session, worker_id, group, names, limit, seq)
        )

    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        if not claims:
            return 0
        released = self.write(lambda session: commands.release(session, worker_id, claims, parked))
        self._tell_work({task.group for task in claims})
        self.hints.finished([task.id for task in claims])
        return released

    def owned(self, worker_id: str, older_than: float) -> list[tuple[str, int]]:
        which = {"worker": worker_id, "age": older_than}
        return [(row[0], row[1]) for row in self.read(lambda s: s.rows(sql.OWNED, which))]

    def next_due(self, groups: Collection[str]) -> float | None:
        return self.read(lambda session: reads.next_due(session, groups)) if groups else None

    @abstractmethod
    def persist(self) -> None: ...

    def progress(self, worker_id: str, task: Task, progress: str) -> bool:
        entry = {**cycle.fence(worker_id, task), "progress": progress}
        return self.once(lambda session: session.change(sql.PROGRESS, entry)) == 1

    def cancel_requested(self, worker_id: str) -> Collection[str]:
        return {row[0] for row in self.read(lambda s: s.rows(sql.TO_CANCEL, {"worker": worker_id}))}

    # Leases

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        self.once(lambda session: leases.register(session, worker, ttl))

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        if not workers:
            return ()
        return self.once(lambda session: leases.renew(session, workers, ttl))

    def deregister(self, worker_ids: Collection[str]) -> None:
        if worker_ids:
            ids = [{"id": worker_id} for worker_id in sorted(worker_ids)]
            self.once(lambda session: session.change_each(sql.FORGET_WORKER, ids))

    def workers(self) -> list[WorkerRecord]:
        return self.read(leases.known_workers)

    def expired_workers(self) -> list[str]:
        return self.read(leases.expired_workers)

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        restored, groups = self.write(
            lambda session: leases.restore(
                session, worker_id, charged or {}, suspects or {}, lost, limit
            )
        )
        if groups:
            self._tell_work(groups)
        return restored

    # Commands on tasks

    def cancel(
        self, ids: Collection[str], by: str = "", *, states: Collection[TaskState] | None = None
    ) -> dict[str, TaskState]:
        if not ids:
            return {}
        found = self.write(lambda session: commands.cancel(session, ids, by, states), durable=True)
        self.hints.finished(found)
        return found

    def retry(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        if not ids:
            return 0
        groups = self.write(lambda session: commands.retry(session, ids, states), durable=True)
        self._tell_work(set(groups))
        return len(groups)

    def discard(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        if not ids:
            return 0
        discarded = self.write(lambda session: commands.discard(session, ids, states), durable=True)
        self.hints.finished(ids)
        return discarded

    # Reads

    def get_many(self, ids: Collection[str]) -> dict[str, Record]:
        return self.read(lambda session: reads.get_many(session, ids)) if ids else {}

    def attempts(self, task_id: str) -> list[Attempt]:
        found = self.read(lambda session: session.rows(sql.ATTEMPTS, {"id": task_id}))
        return [rows.to_attempt(row) for row in found]

    def list_tasks(
        self, which: TaskFilter, *, limit: int = 50, after: str | None = None
    ) -> list[Record]:
        return self.read(lambda session: reads.list_tasks(session, which, limit, after))

    def groups(self, cap: int = 10_000) -> list[GroupStatus]:
        return self.read(lambda session: reads.groups(session, cap))

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        self.write(lambda session: commands.set_paused(session, groups, True), durable=True)

    def resume(self, groups: Collection[str] | None) -> None:
        self.write(lambda session: commands.set_paused(session, groups, False), durable=True)
        self._tell_work(groups or ())

    # Schedules

    def scheduler_state(self, scheduler: str) -> bytes | None:
        found: bytes | None = first(
            self.read(lambda session: session.rows(sql.SCHEDULER_STATE, {"name": scheduler}))
        )
        return found

    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        fired = self.write(
            lambda session: commands.fire(session, scheduler, expected, state, tasks), durable=True
        )
        if fired and tasks:
            self._tell_work({task.group for task in tasks})
        return fired

    # Retention

    def purge(self, limit: int = 1000) -> int:
        purged: list[str] = []
        # A look first: retention comes often, and mostly has nothing to lock out others for.
        if self.read(lambda session: reads.disposable(session, 1)):
            purged = self.write(lambda session: commands.purge(session, limit))
            self.hints.finished(purged)
        self.once(lambda session: session.change(sql.PURGE_EVENTS, {"age": EVENT_LIFETIME}))
        return len(purged)

    # Health

    def alarms(self) -> list[str]:
        return []

    # Hints

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        self.open()
        return HintListener(self.hints.listen(), on_work)

    def watch(self, task_id: str) -> Watch:
        self.open()
        return HintWatch(self.hints.watch(task_id))
