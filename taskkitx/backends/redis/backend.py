"""The port on Redis: each verb is one script, which Redis runs whole or not at all."""

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from taskkitx import clock as clocks
from taskkitx import log
from taskkitx.backend import Subscription, Watch
from taskkitx.backends.redis import cycle, fields, health, reads
from taskkitx.backends.redis.connections import Connections
from taskkitx.backends.redis.cycle import Answer
from taskkitx.backends.redis.epoch import Memory, new_epoch
from taskkitx.backends.redis.errors import is_passing
from taskkitx.backends.redis.fields import text, to_text
from taskkitx.backends.redis.hints import Broken, HintListener, HintWatch
from taskkitx.backends.redis.keys import VERSION, Keys
from taskkitx.backends.redis.opening import check, persist
from taskkitx.backends.redis.scripts import script
from taskkitx.backends.redis.server import Server
from taskkitx.clock import Clock
from taskkitx.errors import StoreUnavailable
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

Hearer = TypeVar("Hearer", HintListener, HintWatch)

PATIENCE = 5.0
_tasks_vanished = log.Event(
    "error",
    "tasks_vanished",
    "Redis has lost the data of {count} queued tasks, which cannot be run: {tasks}; "
    "was it short of memory with an eviction policy other than noeviction?",
)
_store_emptied = log.Event(
    "error",
    "store_emptied",
    "Redis at {server} has lost everything it knew (emptied, or restarted without its data): tasks that waited or ran "
    "are gone, outcomes of what still runs will be refused; worker {worker_id} registers again",
)


class RedisBackend:
    """The port on `redis://HOST:PORT/DATABASE`."""

    def __init__(
        self, server: Server, *, clock: Clock | None = None, enqueue_timeout: float = PATIENCE
    ) -> None:
        """`clock` is for tests; without, every time is the server's."""
        self.connections = Connections(server)
        self.keys = Keys(server.prefix)
        self._server = server
        self._clock = clock
        self._enqueue_timeout = enqueue_timeout
        self._memory = Memory()
        self._subscriptions: WeakSet[HintListener | HintWatch] = WeakSet()

    @property
    def url(self) -> str:
        return self._server.url

    def now(self) -> float:
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = self.connections.ask("TIME")
        return int(seconds) + int(microseconds) / 1e6

    def open(self) -> None:
        check(self.connections, self.keys)

    def close(self) -> None:
        for subscription in list(self._subscriptions):
            subscription.close()
        self.connections.close()

    def _run(self, name: str, *arguments: Any) -> Any:
        now = "" if self._clock is None else repr(self._clock())
        return self.connections.run(script(name), self.keys.base, now, *arguments)

    # Tasks come in

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        if connection is not None:
            raise TypeError(
                "a store in Redis takes part in no transaction of yours: put without connection"
            )
        if not tasks:
            return []
        arguments: list[Any] = [len(tasks)]
        for task in tasks:
            arguments += fields.put_arguments(task)
        plain = all(task.unique_key is None for task in tasks)
        name = "put_plain" if plain else "put"
        standing = self._patiently(lambda: self._run(name, *arguments))
        if not standing:
            return [Put(task.id, True) for task in tasks]
        others = {
            int(number): to_text(task_id)
            for number, task_id in zip(standing[::2], standing[1::2], strict=True)
        }
        return [
            Put(others.get(number, task.id), number not in others)
            for number, task in enumerate(tasks)
        ]

    def _patiently(self, work: Callable[[], Any]) -> Any:
        """A restart or a failover is waited out for a while: putting again what was put changes nothing."""
        give_up = clocks.monotonic() + self._enqueue_timeout
        pause = 0.01
        while True:
            try:
                return work()
            except StoreUnavailable as error:
                if not is_passing(error.__cause__) or clocks.monotonic() + pause > give_up:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 0.5)

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
        arguments = cycle.arguments(outcomes, wanted)
        answer = self._answer(
            self._run("exchange", worker_id, self._memory.epoch_of(worker_id), *arguments),
            worker_id,
        )
        if answer.emptied:
            self._register_again(worker_id)
        accepted = {outcome.task.id for outcome in outcomes} - answer.refused
        return Exchanged(accepted, answer.claims)

    def _answer(self, raw: Sequence[Any], worker_id: str) -> Answer:
        answer = cycle.to_answer(raw, worker_id)
        if answer.lost:
            _tasks_vanished(count=len(answer.lost), tasks=answer.lost[:20])
        return answer

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        if not groups:
            return None
        claims = self._answer(self._run("claim_solo", worker_id, *groups), worker_id).claims
        return claims[0] if claims else None

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        if not names or limit <= 0:
            return []
        raw = self._run("claim_parked", worker_id, group, limit, *names)
        return self._answer(raw, worker_id).claims

    def release(self, worker_id: str, claims: Sequence[Task], *, parked: bool = False) -> int:
        if not claims:
            return 0
        fences = [part for task in claims for part in (task.id, task.attempt)]
        return int(self._run("release", worker_id, int(parked), *fences))

    def owned(self, worker_id: str, older_than: float) -> list[tuple[str, int]]:
        flat = self._run("owned", worker_id, older_than)
        return [
            (to_text(task_id), int(attempt))
            for task_id, attempt in zip(flat[::2], flat[1::2], strict=True)
        ]

    def next_due(self, groups: Collection[str]) -> float | None:
        if not groups:
            return None
        seconds = self._run("next_due", *groups)
        return None if seconds is None else float(seconds)

    def persist(self) -> None:
        persist(self.connections)

    def progress(self, worker_id: str, task: Task, progress: str) -> bool:
        return bool(self._run("progress", worker_id, task.id, task.attempt, text(progress)))

    def cancel_requested(self, worker_id: str) -> Collection[str]:
        return set(map(to_text, self._run("cancel_requested", worker_id)))

    # Leases

    def register(self, worker: WorkerRecord, ttl: float) -> None:
        record, info = fields.worker_arguments(worker)
        epoch = self._run("register", worker.id, record, info, ttl, VERSION, new_epoch())
        self._memory.registered(worker, ttl, epoch)

    def _register_again(self, worker_id: str) -> None:
        """The store has lost everything, its workers too."""
        _store_emptied(server=self._server.where, worker_id=worker_id)
        self.register(*self._memory.registration(worker_id))

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        if not workers:
            return ()
        infos = [
            part
            for worker_id, info in workers.items()
            for part in (worker_id, fields.info_argument(info))
        ]
        epoch, known = self._run("renew", ttl, self._memory.renewed_in, new_epoch(), *infos)
        self._memory.renewed_in = epoch
        return set(map(to_text, known))

    def deregister(self, worker_ids: Collection[str]) -> None:
        if worker_ids:
            self._run("deregister", *worker_ids)
            self._memory.forget(worker_ids)

    def workers(self) -> list[WorkerRecord]:
        known = [fields.to_worker(row) for row in self._run("workers")]
        return sorted(known, key=lambda worker: (worker.started, worker.id))

    def expired_workers(self) -> list[str]:
        return sorted(map(to_text, self._run("expired_workers")))

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        everybody = lost or Lost("")
        arguments: list[Any] = [worker_id, limit, random.getrandbits(31)]
        arguments += (int(lost is not None), text(everybody.cause), text(everybody.trace))
        for task_id, loss in (suspects or {}).items():
            arguments += (task_id, "suspect", text(loss.cause), text(loss.trace), int(loss.alone))
        for task_id, loss in (charged or {}).items():
            arguments += (task_id, "charged", text(loss.cause), text(loss.trace), int(loss.again))
        return int(self._run("restore", *arguments))

    # Commands on tasks

    def cancel(
        self, ids: Collection[str], by: str = "", *, states: Collection[TaskState] | None = None
    ) -> dict[str, TaskState]:
        if not ids:
            return {}
        flat = self._run("cancel", _listed(states), text(by), *dict.fromkeys(ids))
        return {
            to_text(task_id): TaskState(state)
            for task_id, state in zip(flat[::2], flat[1::2], strict=True)
        }

    def retry(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        return int(self._run("retry", _listed(states), *dict.fromkeys(ids))) if ids else 0

    def discard(self, ids: Collection[str], *, states: Collection[TaskState] | None = None) -> int:
        return int(self._run("discard", _listed(states), *dict.fromkeys(ids))) if ids else 0

    # Reads

    def get_many(self, ids: Collection[str]) -> dict[str, Record]:
        return reads.get_many(self.connections, self.keys, ids)

    def attempts(self, task_id: str) -> list[Attempt]:
        history = self.connections.ask("LRANGE", self.keys.history(task_id), 0, -1)
        return fields.to_attempts(history)

    def list_tasks(
        self, which: TaskFilter, *, limit: int = 50, after: str | None = None
    ) -> list[Record]:
        return reads.list_tasks(self.connections, self.keys, which, limit, after)

    def groups(self, cap: int = 10_000) -> list[GroupStatus]:
        return reads.to_groups(self._run("groups", cap))

    # Pause

    def pause(self, groups: Collection[str] | None) -> None:
        self._run("pause", 1, *(["all"] if groups is None else ["named", *groups]))

    def resume(self, groups: Collection[str] | None) -> None:
        self._run("pause", 0, *(["all"] if groups is None else ["named", *groups]))

    # Schedules

    def scheduler_state(self, scheduler: str) -> bytes | None:
        state: bytes | None = self.connections.ask("HGET", self.keys.schedulers, scheduler)
        return state

    def fire(
        self, scheduler: str, expected: bytes | None, state: bytes, tasks: Sequence[Task]
    ) -> bool:
        arguments: list[Any] = [scheduler, b"" if expected is None else b"=" + expected, state]
        arguments.append(len(tasks))
        for task in tasks:
            arguments += fields.put_arguments(task)
        return bool(self._run("fire", *arguments))

    # Retention

    def purge(self, limit: int = 1000) -> int:
        return int(self._run("purge", limit))

    # Health

    def alarms(self) -> list[str]:
        return health.alarms(self.connections)

    # Hints

    def listen(self, on_work: Callable[[frozenset[str] | None], None]) -> Subscription:
        health.warn_of_risks(self.connections)
        return self._subscribed(lambda: HintListener(self.connections, self.keys.work, on_work))

    def watch(self, task_id: str) -> Watch:
        return self._subscribed(lambda: HintWatch(self.connections, self.keys.end(task_id)))

    def _subscribed(self, subscribe: Callable[[], Hearer]) -> Hearer:
        """What it makes, to be closed with this instance."""
        try:
            hearer = subscribe()
        except Broken as error:
            raise self.connections.translated(error) from error
        self._subscriptions.add(hearer)
        return hearer


def _listed(states: Collection[TaskState] | None) -> str:
    """As `is_in` in `lua/rows.lua` reads it."""
    return "" if states is None else f",{','.join(str(int(state)) for state in states)},"
