"""The worker cycle: wait until there is something to say, exchange outcomes for claims, hand them to the pools.

One worker per process; `run` is its claiming thread, the only one that talks to the store on the engine's behalf.
"""

import random
import sys
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from taskkitx import clock, log
from taskkitx.backend import Backend
from taskkitx.errors import StoreRefused, StoreUnavailable
from taskkitx.outcome import Outcome
from taskkitx.record import Exchanged
from taskkitx.settings import Settings
from taskkitx.task import Task
from taskkitx.wakeup import Bell
from taskkitx.worker.attempt import Handler
from taskkitx.worker.chores import Chores
from taskkitx.worker.claiming import SOLO_POOL, GroupClaiming, SoloClaiming
from taskkitx.worker.identity import describe
from taskkitx.worker.outbox import Outbox, finish_in_parts
from taskkitx.worker.pool import Pool
from taskkitx.worker.running import Running
from taskkitx.worker.slots import Slots
from taskkitx.worker.store_health import StoreHealth

GATHER = 0.005
"""How long a finished attempt waits for company while threads have stock."""
SWITCH_INTERVAL = 0.0005
"""Beside CPU-bound handlers the claiming thread gets its turn ten times as often as by default."""


class Worker:
    """Claims for `groups` (threads by group) and runs what it claims until stopped.

    `open`, then `run` in the thread that is to claim; `stop` and `condemn` from anywhere, signal handlers included.
    """

    def __init__(
        self,
        backend: Backend,
        handler: Handler,
        groups: Mapping[str, int],
        *,
        worker_id: str,
        settings: Settings,
        slots: Slots,
        bell: Bell,
        instance: str = "",
        solo: bool = False,
    ) -> None:
        """`bell` wakes it, `slots` is where it says what it runs; a `solo` worker runs suspects, one at a time."""
        self.id = worker_id
        self.groups = tuple(groups)
        self._backend = backend
        self._settings = settings
        self._slots = slots
        self._bell = bell
        self._instance = instance
        self._claiming = (SoloClaiming if solo else GroupClaiming)(
            backend, worker_id, tuple(groups)
        )
        lanes = {SOLO_POOL: 1} if solo else groups
        self._outbox = Outbox()
        self._running = Running(
            backend, handler, settings, slots, self._outbox, sum(lanes.values()), bell.ring
        )
        self._pools = self._make_pools(lanes)
        self._in_flight: dict[str, Task] = {}
        self._health = StoreHealth("worker")
        self._chores = Chores(backend, handler, self, self._running, settings)
        self._most_stock = 0 if solo else settings.prefetch
        self._look_at, self._empty_looks = 0.0, 0
        self._waiting = False
        self._stopping = False
        self._resting = False
        self._ended: set[str] = set()
        self.condemned = False
        """Whether this process has to be replaced."""
        self.stale = 0
        """Outcomes refused by the store because the task belongs to another attempt by now."""

    def _make_pools(self, lanes: Mapping[str, int]) -> dict[str, Pool]:
        pools: dict[str, Pool] = {}
        first = 0
        for name, threads in lanes.items():
            pools[name] = Pool(name, threads, first, self._running.run, self._ran_dry)
            first += threads
        return pools

    @property
    def finished(self) -> int:
        """Attempts run so far."""
        return sum(pool.finished for pool in self._pools.values())

    @property
    def idle(self) -> int:
        """Threads with nothing to do."""
        return sum(pool.idle for pool in self._pools.values())

    @property
    def accepting(self) -> bool:
        """Whether it takes new tasks."""
        return not (self._stopping or self._resting or self._running.lease_lost())

    @property
    def in_flight(self) -> Mapping[str, Task]:
        """What this worker has claimed and not yet settled."""
        return self._in_flight

    def open(self) -> None:
        """Reach the store and register there. Raises StoreError or SchemaMismatch."""
        self._backend.open()
        self._backend.register(describe(self.id, self._instance), self._settings.lease_ttl)

    def stop(self) -> None:
        """Claim nothing more; `run` returns once what is running has finished and is written."""
        self._stopping = True
        self._bell.ring()

    def rest(self) -> None:
        """Claim nothing more and give unstarted claims back, but go on until `stop`. Called in the claiming thread."""
        self._resting = True
        self._take_stock_back()
        self._bell.ring()

    def end_groups(self, groups: Collection[str]) -> None:
        """Claim nothing more for these groups; as `stop` when none is left."""
        self._ended |= set(groups)
        if self._ended >= set(self.groups):
            self.stop()
        self._bell.ring()

    def condemn(self) -> None:
        """As `stop`, for a process that cannot go on."""
        self.condemned = True
        self.stop()

    def run(self) -> None:
        """Claim and run until stopped and drained."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        for pool in self._pools.values():
            pool.start()
        while not self._stopping:
            self._cycle(self._wait())
        self._take_stock_back()
        while self._in_flight:  # to be run, written or given back; given-up handlers do not count
            self._cycle(self._wait())
        for pool in self._pools.values():
            pool.stop()
        self._leave()

    def _leave(self) -> None:
        try:
            self._backend.deregister([self.id])
        except StoreUnavailable as error:
            log.store_down("deregister", error)

    # Waiting

    def _ran_dry(self) -> None:
        if self._waiting:
            self._bell.ring()

    def _wait(self) -> bool:
        """Sleep until there may be something to say; True when somebody rang or the time to look has come."""
        timeout = self._timeout() - clock.monotonic()
        if timeout <= 0:
            return True
        # First say that we wait, then look again: a thread that runs dry in between finds nobody to ring for.
        self._waiting = True
        rung = self._bell.wait(0.0 if self._must_write() else timeout)
        self._waiting = False
        return rung or clock.monotonic() >= self._look_at

    def _must_write(self) -> bool:
        """Whether an outcome waits and a pool has no stock to pass the time with."""
        return (
            self._health.up
            and bool(self._outbox)
            and any(pool.dry for pool in self._pools.values())
        )

    def _timeout(self) -> float:
        """Until when to sleep if nobody rings, in monotonic seconds."""
        if not self._health.up:
            return self._health.retry_at
        if any(not pool.dry for pool in self._pools.values()):
            return clock.monotonic() + GATHER
        wake_at = self._look_at
        if self._in_flight:
            wake_at = min(wake_at, self._chores.next_at)
        limit_at = self._running.limits.next_at()
        return wake_at if limit_at is None else min(wake_at, limit_at)

    # The cycle

    def _cycle(self, look: bool) -> None:
        if self._running.enforce_limits(clock.monotonic()):
            self.condemn()
        if not self._health.may_try(clock.monotonic()):
            return
        try:
            self._give_back()
            self._exchange(look)
            self._chores.run_due()
        except Exception as error:  # noqa: BLE001  # what nobody foresaw must not cost the tasks that run here
            self._health.failed(error, clock.monotonic())
        else:
            self._health.answered()
        self._slots.beat(self.idle, self.finished)

    def _exchange(self, look: bool) -> None:
        outcomes = self._outbox.batch()
        wanted = self._wanted() if look or outcomes else {}
        if not outcomes and not wanted:
            return
        self._running.write_last_words(self.id)
        exchanged = self._talk(outcomes, wanted)
        self._settle(outcomes, exchanged.accepted)
        self.hand_out(exchanged.claims)
        if wanted:
            self._empty_looks = 0 if exchanged.claims else self._empty_looks + 1
            self._plan_next_look(len(exchanged.claims) >= sum(wanted.values()))

    def _talk(self, outcomes: Sequence[Outcome], wanted: Mapping[str, int]) -> Exchanged:
        try:
            return self._claiming.exchange(outcomes, wanted)
        except StoreRefused as error:
            if not outcomes:
                raise StoreUnavailable(str(error)) from error
            log.batch_refused(self.id, len(outcomes), error)
            accepted = finish_in_parts(
                lambda part: self._backend.finish(self.id, part), list(outcomes)
            )
            return Exchanged(accepted, [])

    def _wanted(self) -> dict[str, int]:
        if not self.accepting:
            return {}
        wanted = {name: pool.wanted(self._most_stock) for name, pool in self._pools.items()}
        return {name: n for name, n in wanted.items() if n and name not in self._ended}

    def _settle(self, outcomes: Sequence[Outcome], accepted: Collection[str]) -> None:
        self._outbox.settle()
        self._running.settled(outcomes)
        for outcome in outcomes:
            self._in_flight.pop(outcome.task.id, None)
        if len(accepted) < len(outcomes):
            refused = [o.task for o in outcomes if o.task.id not in accepted]
            self.stale += len(refused)
            log.outcomes_refused(self.id, refused)

    def hand_out(self, claims: Sequence[Task]) -> None:
        """Give claims to the pools that run them."""
        if not claims:
            return
        by_pool: dict[Pool, list[Task]] = {}
        for task in claims:
            by_pool.setdefault(self._pools[self._claiming.pool_of(task)], []).append(task)
        self._in_flight.update((task.id, task) for task in claims)
        for pool, tasks in by_pool.items():
            pool.give(tasks)

    def _plan_next_look(self, got_all: bool) -> None:
        """When to claim again if nobody rings: when a task is due, or soon, but less soon the longer nothing came."""
        now = clock.monotonic()
        pause = self._settings.poll_interval * min(2.0, 1.0 + self._empty_looks / 4)
        self._look_at = now + pause * random.uniform(0.8, 1.2)
        if not got_all and self.idle:
            due_in = self._claiming.next_due()
            if due_in is not None:
                self._look_at = min(self._look_at, now + max(0.0, due_in))

    # Giving back

    def take_old_stock_back(self) -> None:
        """Stock that no thread has begun for a second goes back: another worker may be free."""
        for pool in self._pools.values():
            if pool.stock_is_old:
                self._running.unstarted.extend(pool.take_back())

    def _take_stock_back(self) -> None:
        for pool in self._pools.values():
            self._running.unstarted.extend(pool.take_back())

    def _give_back(self) -> None:
        self._release(self._running.unstarted, parked=False)
        self._release(self._running.unknown, parked=True)

    def _release(self, tasks: deque[Task], *, parked: bool) -> None:
        if not tasks:
            return
        claims = list(tasks)
        self._backend.release(self.id, claims, parked=parked)
        for task in claims:
            self._in_flight.pop(task.id, None)
            tasks.popleft()
