"""What a pool's thread does with one claimed task, and what is done to it from outside while it runs."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence

from taskkitx import clock, log
from taskkitx.backend import Backend
from taskkitx.errors import CancelRequested, HardTimeLimit, SoftTimeLimit, StoreUnavailable
from taskkitx.handler import NO_LIMITS, Limits, limits_of
from taskkitx.outcome import Cancelled, Failed, Fault, Outcome
from taskkitx.settings import Settings
from taskkitx.task import Task
from taskkitx.worker import attempt as attempts
from taskkitx.worker import limits as interruption
from taskkitx.worker.attempt import Current, Handler
from taskkitx.worker.outbox import Outbox
from taskkitx.worker.slots import IfLost, Slots


class Running:
    """The attempts of one worker, by thread. `run` is called by the pools' threads, the rest by the claiming thread."""

    def __init__(
        self,
        backend: Backend,
        handler: Handler,
        settings: Settings,
        slots: Slots,
        outbox: Outbox,
        threads: int,
        ring: Callable[[], None],
    ) -> None:
        """`threads` of all pools together; `ring` wakes the claiming thread."""
        self._backend = backend
        self._handler = handler
        self._settings = settings
        self._slots = slots
        self._outbox = outbox
        self._knows = getattr(handler, "knows", None)
        self._before = getattr(handler, "before", None)
        self._after = getattr(handler, "after", None)
        self._asks_about_losses = getattr(handler, "on_worker_lost", None) is not None
        self._current: list[Current | None] = [None] * threads
        self._ring = ring
        self._unsettled: dict[str, threading.Event] = {}
        self._cancelled: Collection[tuple[str, int]] = ()
        self._max_lease_age = settings.lease_ttl - settings.lease_margin
        self.limits = interruption.Limits()
        self.unstarted: deque[Task] = deque()
        """Claims no thread would start; to be released."""
        self._last_words: deque[tuple[Task, str]] = deque()
        self.unknown: deque[Task] = deque()
        """Claims whose name this process does not know; to be parked."""

    def lease_lost(self) -> bool:
        """Whether the lease may have ended: nothing is started then, because another worker may own it all by now."""
        return clock.boottime() - self._slots.lease_renewed() > self._max_lease_age

    def run(self, thread: int, task: Task) -> None:
        """Run one claimed task and leave its outcome in the outbox. Never raises: a thread that ended would leave its
        task in flight for ever."""
        try:
            self._run(thread, task)
        except BaseException as error:  # noqa: BLE001  # ours, and said so; the task ends by its own policy
            log.unexpected(f"running task {task.id}", log.one_line(error))
            self._slots.done(thread)
            attempts.leave()
            self._current[thread] = None
            self._outbox.add(attempts.after_failure(self._handler, task, error))

    def _run(self, thread: int, task: Task) -> None:
        if self.lease_lost():
            self.unstarted.append(task)
            return
        if task.unreadable is not None:  # nobody is asked for the limits of what is not there
            failed = Failed(task, Fault("unreadable", task.unreadable))
            self._after_hook(task, failed)
            self._outbox.add(failed)
            return
        try:
            if self._knows is not None and not self._knows(task):
                self.unknown.append(task)
                return
            limits = limits_of(self._handler, task)
        except BaseException as error:  # noqa: BLE001  # the application's own look at its task failed
            self._outbox.add(attempts.after_failure(self._handler, task, error))
            return
        outcome = (
            Cancelled(task)
            if self._cancelled and (task.id, task.attempt) in self._cancelled
            else attempts.refuse(self._handler, task, limits)
        )
        if outcome is None:
            if limits.at_most_once and not self._claim_is_durable(task):
                return
            outcome = self._attempt(thread, task, limits)
        if outcome is not None:
            self._after_hook(task, outcome)
            self._hand_over(task, outcome, wait=limits.at_most_once)
        if limits.at_most_once:
            self._slots.done(thread)

    def _hand_over(self, task: Task, outcome: Outcome, *, wait: bool) -> None:
        """Leave the outcome in the outbox, and `wait` until it is in the store: as long as the slot is kept, a death
        does not make the task look like one that was never started."""
        if not wait:
            self._outbox.add(outcome)
            return
        written = self._unsettled[task.id] = threading.Event()
        self._outbox.add(outcome)
        self._ring()
        written.wait()

    def _claim_is_durable(self, task: Task) -> bool:
        """A power loss must not bring back a task that may have started."""
        try:
            self._backend.persist()
        except StoreUnavailable:
            self.unstarted.append(task)
            return False
        return True

    def _attempt(self, thread: int, task: Task, limits: Limits) -> Outcome | None:
        """The outcome, or None when the claiming thread has already declared the attempt over."""
        current = Current(
            task,
            self._deadline(limits),
            self.lease_lost,
            limits.interrupt_on_cancel,
            limits.timeout,
        )
        ident = current.ident
        self._current[thread] = current
        attempts.enter(current)
        self._slots.run(thread, task, current.deadline, self._if_lost(task, limits))
        if limits.timeout or limits.soft_timeout:
            self._watch(current, limits, thread, ident)

        def end() -> None:
            interruption.close(current, ident)

        outcome = attempts.run(
            self._handler, task, self._before, end, self._settings.max_result_bytes
        )
        if not limits.at_most_once:
            self._slots.done(thread)
        attempts.leave()
        self._current[thread] = None
        if current.reported and current.fresh_progress is not None:
            self._last_words.append((task, current.fresh_progress))
        return None if current.abandoned else outcome

    def _if_lost(self, task: Task, limits: Limits) -> IfLost:
        if limits is NO_LIMITS and not task.crashes and not self._asks_about_losses:
            return IfLost.NOTHING  # nearly always, and flags are slow
        fails = limits.on_crash == "fail"
        tell = limits.at_most_once or (self._asks_about_losses and not fails)
        last = limits.at_most_once or fails or task.crashes + 1 >= limits.max_crashes
        return (IfLost.TELL if tell else IfLost.NOTHING) | (IfLost.LAST if last else IfLost.NOTHING)

    def _deadline(self, limits: Limits) -> float:
        return clock.monotonic() + limits.timeout if limits.timeout else 0.0

    def _watch(self, current: Current, limits: Limits, thread: int, ident: int) -> None:
        now = clock.monotonic()
        if limits.soft_timeout:
            self.limits.add(
                now + limits.soft_timeout, current, hard=False, thread=thread, ident=ident
            )
        if limits.timeout:
            self.limits.add(now + limits.timeout, current, hard=True, thread=thread, ident=ident)

    def _after_hook(self, task: Task, outcome: Outcome) -> None:
        if self._after is None:
            return
        try:
            self._after(task, outcome)
        except BaseException as error:  # noqa: BLE001  # a failing hook never changes the outcome
            log.hook_failed("after", task, attempts.fault_of(error))

    # From the claiming thread

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """The store has answered for these: threads that waited for that go on."""
        if self._unsettled:
            for outcome in outcomes:
                if written := self._unsettled.pop(outcome.task.id, None):
                    written.set()

    def enforce_limits(self, now: float) -> int:
        """Interrupt attempts past their soft limit, give up those past their hard one; returns how many were given up.

        A given-up attempt's outcome is written now, so the fence shuts out whatever its handler still does.
        """
        given_up = 0
        for limit in self.limits.reached(now):
            if not limit.hard:
                interruption.interrupt(limit.attempt, limit.ident, SoftTimeLimit)
            elif interruption.abandon(limit.attempt):
                self._give_up(limit.attempt, limit.thread)
                given_up += 1
        return given_up

    def _give_up(self, current: Current, thread: int) -> None:
        task = current.task
        limit = current.timeout
        log.attempt_given_up(task, limit)
        outcome = attempts.after_failure(
            self._handler, task, HardTimeLimit(f"it did not end within its timeout of {limit} s")
        )
        self._slots.condemn(thread)
        self._after_hook(task, outcome)
        self._outbox.add(outcome)

    def fresh_progress(self) -> list[tuple[Current, str]]:
        """What handlers reported since the last call; each attempt's latest word."""
        fresh: list[tuple[Current, str]] = []
        for current in self._current:
            if current is not None and current.fresh_progress is not None:
                progress, current.fresh_progress = current.fresh_progress, None
                current.reported = True
                fresh.append((current, progress))
        return fresh

    def write_last_words(self, worker_id: str) -> None:
        """Write what attempts whose progress people have seen said last; their outcomes must not be written yet."""
        while self._last_words:
            self._backend.progress(worker_id, *self._last_words[0])
            self._last_words.popleft()

    def tell_cancelled(self, attempts: Collection[tuple[str, int]]) -> None:
        """Tell these attempts (id, number) that somebody asked for their end; the ones in stock will not be started."""
        self._cancelled = attempts
        for current in self._current:
            if current is None or current.cancelled:
                continue
            if (current.task.id, current.task.attempt) in attempts:
                current.cancelled = True
                if current.interrupt_on_cancel:
                    interruption.interrupt(current, current.ident, CancelRequested)

    @property
    def abandoned(self) -> int:
        """Threads whose attempt was given up and whose handler still runs."""
        return sum(1 for current in self._current if current is not None and current.abandoned)
