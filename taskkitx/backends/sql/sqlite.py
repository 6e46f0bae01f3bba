"""The port on one SQLite file, shared by the processes of one machine. Each verb is one short transaction."""

import itertools
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from taskkitx import clock as clocks
from taskkitx.backend import (
    Attempt,
    Exchanged,
    GroupStatus,
    Lost,
    Put,
    Record,
    Subscription,
    TaskFilter,
    Watch,
    WorkerRecord,
)
from taskkitx.backends.sql import commands, cycle, leases, puts, reads, rows
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.connections import PATIENCE, Connections
from taskkitx.backends.sql.joined import after_commit, driver_connection
from taskkitx.backends.sql.listening import HintListener, HintWatch
from taskkitx.backends.sql.sqlite_file import check_path, prepare
from taskkitx.clock import Clock
from taskkitx.outcome import Outcome
from taskkitx.task import Task, TaskState
from taskkitx.wakeup import LocalHints

Answer = TypeVar("Answer")

EVENT_LIFETIME = 24 * 3600.0


class SqliteBackend:
    """The port on `sqlite:///PATH`.

    Wall time is the machine's, which on SQLite is the store's: read while the write lock is held, except by the one
    statement that takes the lock itself.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock | None = None,
        enqueue_timeout: float = PATIENCE,
        force: bool = False,
    ) -> None:
        """`clock` is for tests; `force` accepts a network file system."""
        self.path = path
        self._clock = clock or clocks.now
        self._leases = leases.lease_clock(clock)
        self._force = force
        self._connections = Connections(path, enqueue_timeout)
        self._hints = LocalHints(f"{path}-hints")
        self._seq = itertools.count(time.time_ns())
        self._prepared = False

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def now(self) -> float:
        return self._clock()

    def open(self) -> None:
        if not self._prepared:
            check_path(self.path, self._force)
            prepare(self._connections)
            self._prepared = True

    def close(self) -> None:
        self._prepared = False
        self._hints.close()
        self._connections.close()

    def _write(
        self, work: Callable[[sqlite3.Connection, float], Answer], *, durable: bool = False
    ) -> Answer:
        self.open()
        return self._connections.transaction(
            lambda connection: work(connection, self._clock()), durable=durable
        )

    def _read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        self.open()
        with self._connections.reading() as connection:
            return work(connection)

    # Tasks come in

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        if not tasks:
            return []
        if connection is not None:
            return self._put_joined(tasks, connection)
        self.open()
        # A single plain task is a single statement, which needs no transaction around it.
        run = (
            self._connections.statement if puts.is_single(tasks) else self._connections.transaction
        )
        answers = run(lambda writer: puts.put(writer, tasks, self._clock()), durable=True)
        self._hints.work({task.group for task in tasks})
        return answers

    def _put_joined(self, tasks: Sequence[Task], connection: Any) -> list[Put]:
        """As part of the caller's transaction; nobody is told before it commits."""
        self.open()
        answers = puts.put(driver_connection(connection), tasks, self._clock())
        after_commit(connection, lambda: self._hints.work({task.group for task in tasks}))
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
        if not outcomes and not wanted:
            return Exchanged((), [])
        self.open()
        simple = [outcome for outcome in outcomes if cycle.is_simple(outcome)]
        others = [outcome for outcome in outcomes if not cycle.is_simple(outcome)]
        accepted = self._write_others(worker_id, others) if others else set[str]()
        if not simple and not wanted:
            return Exchanged(accepted, [])
        seq = next(self._seq)

        def hot(connection: sqlite3.Connection) -> tuple[int, list[Task]]:
            now = self._clock()
            if wanted and cycle.any_due(connection, wanted, now):
                cycle.promote(connection, wanted, now)
            changed = cycle.exchange(connection, worker_id, simple, wanted, seq, now)
            claims = cycle.claimed(connection, worker_id, seq) if wanted else []
            return changed, claims

        changed, claims = self._connections.statement(hot)
        accepted |= self._accepted(worker_id, simple, changed - len(claims))
        if simple:
            self._hints.finished([outcome.task.id for outcome in simple])
        return Exchanged(accepted, claims)

    def _write_others(self, worker_id: str, outcomes: Sequence[Outcome]) -> set[str]:
        """What needs history or puts more tasks has a transaction of its own, before the claim."""
        accepted = self._write(lambda writer, now: cycle.write(writer, worker_id, outcomes, now))
        self._hints.finished(accepted)
        groups = {task.group for outcome in outcomes for task in outcome.then}
        self._hints.work(groups | {outcome.task.group for outcome in outcomes})
        return accepted

    def _accepted(self, worker_id: str, outcomes: Sequence[Outcome], written: int) -> set[str]:
        """All of them if the count says so; else ask for each."""
        if written == len(outcomes):
            return {outcome.task.id for outcome in outcomes}
        return self._read(
            lambda reader: {
                outcome.task.id
                for outcome in outcomes
                if cycle.was_finished(reader, worker_id, outcome.task)
            }
        )

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        seq = next(self._seq)
        claims = self._write(
            lambda writer, now: commands.claim_solo(writer, worker_id, groups, seq, now)
        )
        return claims[0] if claims else None

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        if not self._read(lambda reader: commands.any_parked(reader, group, names)):
            return []
        seq = next(self._seq)
        return self._write(
            lambda writer, now: commands.claim_parked(
                writer, worker_id, group, names, limit, seq, now
            )
        )

    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        if not claims:
            return 0
        released = self._write(
            lambda writer, now: commands.release(writer, worker_id, claims, parked, now)
        )
        self._hints.work({task.group for task in claims})
        self._hints.finished([task.id for task in claims])
        return released

    def owned(self, worker_id: str, older_than: float) -> list[tuple[str, int]]:
        limit = self._clock() - older_than
        return self._read(lambda reader: reader.execute(sql.OWNED, (worker_id, limit)).fetchall())

    def next_due(self, groups: Collection[str]) -> float | None:
        def read(reader: sqlite3.Connection) -> list[float]:
            found = [reader.execute(sql.NEXT_DUE, (group,)).fetchone()[0] for group in groups]
            return [due for due in found if due is not None]

        dues = self._read(read)
        return min(dues) - self._clock() if dues else None

    def persist(self) -> None:
        # A synced commit makes all commits before it durable: the log is one file.
        self._write(
            lambda writer, _: writer.execute(
                "UPDATE taskkitx_version SET version_num = version_num"
            ),
            durable=True,
        )

    def progress(self, worker_id: str, task: Task, progress: str) -> bool:
        entry = {"id": task.id, "attempt": task.attempt, "worker": worker_id, "progress": progress}
        return self._write(lambda writer, _: writer.execute(sql.PROGRESS, entry).rowcount == 1)

    def cancel_requested(self, worker_id: str) -> Collection[str]:
        return self._read(
            lambda reader: {
                row[0] for row in reader.execute(sql.TO_CANCEL, (worker_id,)).fetchall()
            }
        )

    # Leases

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        self._write(lambda writer, now: leases.register(writer, worker, ttl, self._leases, now))

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        if not workers:
            return ()
        return self._write(lambda writer, _: leases.renew(writer, workers, ttl, self._leases))

    def deregister(self, worker_ids: Collection[str]) -> None:
        if worker_ids:
            ids = [{"id": worker_id} for worker_id in worker_ids]
            self._write(lambda writer, _: writer.executemany(sql.FORGET_WORKER, ids))

    def workers(self) -> list[WorkerRecord]:
        return self._read(
            lambda reader: [worker for worker, _ in leases.known_workers(reader, self._leases)]
        )

    def expired_workers(self) -> list[str]:
        return self._read(lambda reader: leases.expired_workers(reader, self._leases))

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        restored, groups = self._write(
            lambda writer, now: leases.restore(
                writer, worker_id, charged or {}, suspects or {}, lost, limit, now
            )
        )
        if groups:
            self._hints.work(groups)
        return restored

    # Commands on tasks

    def cancel(self, ids: Collection[str], by: str = "") -> dict[str, TaskState]:
        if not ids:
            return {}
        states = self._write(
            lambda writer, now: commands.cancel(writer, ids, by, now), durable=True
        )
        self._hints.finished(states)
        return states

    def retry(self, ids: Collection[str]) -> int:
        if not ids:
            return 0
        groups = self._write(lambda writer, now: commands.retry(writer, ids, now), durable=True)
        self._hints.work(set(groups))
        return len(groups)

    def discard(self, ids: Collection[str]) -> int:
        if not ids:
            return 0
        discarded = self._write(lambda writer, _: commands.discard(writer, ids), durable=True)
        self._hints.finished(ids)
        return discarded

    # Reads

    def get_many(self, ids: Collection[str]) -> dict[str, Record]:
        return self._read(lambda reader: reads.get_many(reader, ids)) if ids else {}

    def attempts(self, task_id: str) -> list[Attempt]:
        return self._read(
            lambda reader: [
                rows.to_attempt(row) for row in reader.execute(sql.ATTEMPTS, (task_id,)).fetchall()
            ]
        )

    def list_tasks(
        self, which: TaskFilter, *, limit: int = 50, after: str | None = None
    ) -> list[Record]:
        return self._read(lambda reader: reads.list_tasks(reader, which, limit, after))

    def groups(self, cap: int = 10_000) -> list[GroupStatus]:
        return self._read(lambda reader: reads.groups(reader, cap, self._clock()))

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        self._write(lambda writer, _: commands.set_paused(writer, groups, True), durable=True)

    def resume(self, groups: Collection[str] | None) -> None:
        self._write(lambda writer, _: commands.set_paused(writer, groups, False), durable=True)
        self._hints.work(groups or ())

    # Schedules

    def scheduler_state(self, scheduler: str) -> bytes | None:
        row = self._read(
            lambda reader: reader.execute(sql.SCHEDULER_STATE, (scheduler,)).fetchone()
        )
        return None if row is None else row[0]

    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        fired = self._write(
            lambda writer, now: commands.fire(writer, scheduler, expected, state, tasks, now),
            durable=True,
        )
        if fired and tasks:
            self._hints.work({task.group for task in tasks})
        return fired

    # Retention

    def purge(self, limit: int = 1000) -> int:
        purged: list[str] = []
        # A look first: retention comes often, and mostly has nothing to lock out others for.
        if self._read(lambda reader: reads.disposable(reader, self._clock(), 1)):
            purged = self._write(lambda writer, now: commands.purge(writer, limit, now))
            self._hints.finished(purged)
        self._connections.statement(
            lambda writer: (
                writer.execute(sql.PURGE_EVENTS, (self._clock() - EVENT_LIFETIME,)).rowcount
            )
        )
        return len(purged)

    # Hints

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        self.open()
        return HintListener(self._hints.listen(), on_work)

    def watch(self, task_id: str) -> Watch:
        self.open()
        return HintWatch(self._hints.watch(task_id))

    # Control events, for the bridge

    def send_event(self, event: bytes) -> None:
        """Keep a control event and tell who listens."""
        self._write(lambda writer, now: writer.execute(sql.SEND_EVENT, (now, event)), durable=True)
        self._hints.work(())

    def last_event(self) -> int:
        """The number of the newest event."""
        return int(self._read(lambda reader: reader.execute(sql.LAST_EVENT).fetchone()[0]))

    def events_after(self, number: int) -> list[tuple[int, bytes]]:
        """Events newer than this one, oldest first, a bounded number."""
        return self._read(lambda reader: reader.execute(sql.EVENTS_AFTER, (number,)).fetchall())
