"""The port on Redis: each verb is one script, which Redis runs whole or not at all."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from taskkitx.backend import Subscription, Watch
from taskkitx.backends.redis import cycle, fields, health, puts, reads
from taskkitx.backends.redis.connections import Connections
from taskkitx.backends.redis.fields import text, to_text
from taskkitx.backends.redis.hints import Broken, HintListener, HintWatch
from taskkitx.backends.redis.keys import Keys
from taskkitx.backends.redis.leases import Leases, restore_arguments
from taskkitx.backends.redis.opening import check, persist
from taskkitx.backends.redis.patience import PATIENCE, patiently
from taskkitx.backends.redis.scripts import script
from taskkitx.backends.redis.server import Server
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

Hearer = TypeVar("Hearer", HintListener, HintWatch)


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
        self._leases = Leases(self._run, server.where)
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
        name, arguments = puts.script_for(tasks), puts.arguments(tasks)
        # Putting again what was put changes nothing.
        standing = patiently(lambda: self._run(name, *arguments), self._enqueue_timeout)
        return puts.to_answers(tasks, standing)

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
        raw = self._run("exchange", worker_id, self._leases.epoch_of(worker_id), *arguments)
        answer = cycle.to_answer(raw, worker_id)
        if answer.emptied:
            self._leases.register_again(worker_id)
        accepted = {outcome.task.id for outcome in outcomes} - answer.refused
        return Exchanged(accepted, answer.claims)

    def claim_solo(self, worker_id: str, groups: Collection[str]) -> Task | None:
        if not groups:
            return None
        claims = cycle.to_answer(self._run("claim_solo", worker_id, *groups), worker_id).claims
        return claims[0] if claims else None

    def claim_parked(
        self, worker_id: str, group: str, names: Collection[str], limit: int
    ) -> list[Task]:
        if not names or limit <= 0:
            return []
        raw = self._run("claim_parked", worker_id, group, limit, *names)
        return cycle.to_answer(raw, worker_id).claims

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
        self._leases.register(worker, ttl)

    def renew(self, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> Collection[str]:
        return self._leases.renew(workers, ttl) if workers else ()

    def deregister(self, worker_ids: Collection[str]) -> None:
        if worker_ids:
            self._leases.deregister(worker_ids)

    def workers(self) -> list[WorkerRecord]:
        return self._leases.known_workers()

    def expired_workers(self) -> list[str]:
        return self._leases.expired_workers()

    def restore(
        self,
        worker_id: str,
        *,
        charged: Mapping[str, Lost] | None = None,
        suspects: Mapping[str, Lost] | None = None,
        lost: Lost | None = None,
        limit: int = 1000,
    ) -> int:
        verdicts = restore_arguments(charged or {}, suspects or {}, lost)
        return int(self._run("restore", worker_id, limit, random.getrandbits(31), *verdicts))

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
        return bool(self._run("fire", *arguments, *puts.arguments(tasks)))

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
