"""Any backend against the memory reference: a Hypothesis state machine does the same to both, and compares every
answer and, after every step, all that the stores know.

    def test_model() -> None:
        check_against_memory(lambda clock: MyBackend(fresh_store(), clock=clock))

Where the port leaves something to the store, the machine does not go, or looks away in `taskkitx.testing.seen`.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import count, cycle
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]  # untyped
)

from taskkitx.backend import Backend, Lost, TaskFilter, WorkerRecord
from taskkitx.backends.memory import MemoryBackend
from taskkitx.backends.memory.store import store_at
from taskkitx.outcome import (
    Cancelled,
    Discarded,
    Expired,
    Failed,
    Fault,
    Outcome,
    Retried,
    Succeeded,
)
from taskkitx.task import Task, TaskState, UniqueUntil
from taskkitx.testing import seen
from taskkitx.testing.clock import FakeClock

MakeSubject = Callable[[FakeClock], Backend]

SHORT = settings(max_examples=60, stateful_step_count=50)
LONG = settings(max_examples=600, stateful_step_count=100)

GROUPS = ("a", "A", "b")
NAMES = ("n", "m")
WORKERS = ("wk_1", "wk_2", "wk_3")
SCHEDULERS = ("s", "S")
FINISHED = frozenset(state for state in TaskState if state.finished)
KEYS = {**{str(mode): mode for mode in UniqueUntil}, "none": None}
"""A key for each mode: tasks of different modes that share one are the suite's business."""

PAUSES = st.sampled_from([0.25, 1.0, 9.0, 11.0, 21.0, 60.0, 1000.0])
ANY = st.integers(min_value=0, max_value=30)
"""Which one of those there are, counted round and round."""

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
_stores = count()


def check_against_memory(make_subject: MakeSubject, **options: Any) -> None:
    """Fail unless the backend that `make_subject` opens, on a fresh store each time, behaves as the memory store.

    Short and always the same, or long and seeded anew where the environment has TASKKITX_SOAK. `options` are settings
    of Hypothesis that count before these.
    """
    soak = os.environ.get("TASKKITX_SOAK", "") not in ("", "0")
    size = settings(LONG) if soak else settings(SHORT, derandomize=True)
    size = settings(size, deadline=None, database=None, suppress_health_check=_SLOW_IS_FINE)
    machine = type("Machine", (BackendMachine,), {"make_subject": staticmethod(make_subject)})
    run_state_machine_as_test(machine, settings=settings(size, **options))


def _when(*states: TaskState) -> Callable[[Any], Any]:
    """Only when the model has a task in one of these states: a step without effect is a step lost."""
    which = TaskFilter(frozenset(states))
    return precondition(lambda machine: bool(machine.model.list_tasks(which, limit=1)))


_when_claimed = precondition(lambda machine: bool(machine.claims))
_when_put = precondition(lambda machine: bool(machine.ids))


class BackendMachine(RuleBasedStateMachine):
    """What workers, keepers, producers and people may do to a store, in any order."""

    make_subject: MakeSubject

    def __init__(self) -> None:
        """Two empty stores with one clock."""
        super().__init__()
        self.clock = FakeClock()
        self.model = MemoryBackend(f"memory://model-{next(_stores)}", clock=self.clock)
        self.subject = self.make_subject(self.clock)
        self.numbers = count(1)
        self.ids: list[str] = []
        self.claims: list[Task] = []
        """Every claim ever made, stale ones too."""

    def teardown(self) -> None:
        """Compare what no step has looked at."""
        for task_id in self.ids:
            self.both(seen.attempts, "attempts", task_id)
        self.subject.close()

    def both(self, look: seen.Look, verb: str, *args: Any, **options: Any) -> Any:
        """Do it to both, compare what can be seen of the answers, return the model's."""
        expected = getattr(self.model, verb)(*args, **options)
        answered = getattr(self.subject, verb)(*args, **options)
        now = self.clock()
        difference = f"{verb}{args}{options or ''}: {answered!r} instead of {expected!r}"
        assert look(answered, now) == look(expected, now), difference
        return expected

    @initialize(names=st.lists(st.sampled_from(NAMES), min_size=3, max_size=6), share=ANY)
    def begins_with_work(self, names: list[str], share: int) -> None:
        """So that every run has something to quarrel about."""
        tasks = [self.new_task(group=GROUPS[i % 2], name=name) for i, name in enumerate(names)]
        self.both(seen.as_is, "put", tasks)
        self.claim(WORKERS[share % 3], (share % 4, 1, 0))

    @invariant()
    def stores_know_the_same(self) -> None:
        """After every step."""
        self.both(seen.records, "list_tasks", TaskFilter(), limit=10_000)

    @rule(seconds=PAUSES)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # Tasks come in

    @rule(
        group=st.sampled_from(GROUPS),
        name=st.sampled_from(NAMES),
        priority=st.integers(-1, 1),
        due=st.sampled_from([None, None, -5.0, 0.5, 10.0, 300.0]),
        delay=st.sampled_from([None, None, None, 0.5, 30.0]),
        ttl=st.sampled_from([0.0, 0.0, 50.0, 5000.0]),
        expires=st.sampled_from([None, 5.0]),
        key=st.sampled_from([None, None, None, *KEYS]),
        copies=st.integers(1, 3),
    )
    def put(self, key: str | None, copies: int, **options: Any) -> None:
        if key == "queued" and self.runs_with(key):
            return  # two that wait again at once may both take the key: which one does is left to the store
        batch = [self.new_task(key=key, **options) for _ in range(copies)]
        self.both(seen.as_is, "put", batch)

    @_when_put
    @rule(which=ANY)
    def put_again(self, which: int) -> None:
        known = self.ids[which % len(self.ids)]
        self.both(seen.as_is, "put", [replace(self.new_task(), id=known)])

    def new_task(self, *, key: str | None = None, **options: Any) -> Task:
        """A task whose id does not depend on chance, and is not larger than all before it."""
        group, name = options.pop("group", "a"), options.pop("name", "n")
        due = options.pop("due", None)
        task = Task.init(
            group,
            name,
            b"\x00data",
            due=None if due is None else self.clock() + due,
            unique_key=key,
            unique_until=None if key is None else KEYS[key],
            unique_for=40.0 if key == "window" else None,
            **options,
        )
        number = next(self.numbers) * 0x9E3779B1 % 2**32
        task = replace(task, id=f"{group}_{number:032x}")
        self.ids.append(task.id)
        return task

    def runs_with(self, key: str) -> bool:
        """Whether a running task was put with this key."""
        running = self.model.list_tasks(TaskFilter(frozenset([TaskState.RUNNING])), limit=10_000)
        return any(record.task.unique_key == key for record in running)

    # The worker's cycle

    @_when(TaskState.QUEUED, TaskState.SCHEDULED)
    @rule(worker=st.sampled_from(WORKERS), limits=st.tuples(*[st.integers(0, 4)] * len(GROUPS)))
    def claim(self, worker: str, limits: tuple[int, ...]) -> None:
        wanted = dict(zip(GROUPS, limits, strict=True))
        self.claims += self.both(seen.claims, "claim", worker, wanted)

    @_when_claimed
    @rule(
        which=ANY,
        count=st.integers(1, 4),
        kinds=st.lists(st.integers(0, 5), min_size=4, max_size=4),
        interval=st.sampled_from([-1.0, 0.0, 0.5, 30.0]),
        follow=st.booleans(),
        again=st.booleans(),
    )
    def finish(
        self, which: int, count: int, kinds: list[int], interval: float, follow: bool, again: bool
    ) -> None:
        batch = self.some_claims(which, count)
        worker = batch[0].worker_id
        then = (self.new_task(), self.new_task(due=20.0)) if follow else ()
        outcomes = [
            _outcome(kind, task, interval, then if task is batch[0] else ())
            for kind, task in zip(kinds, batch, strict=False)
        ]
        for _ in range(1 + again):
            self.both(seen.as_set, "finish", worker, outcomes)
        for task in batch:
            self.both(seen.attempts, "attempts", task.id)

    @_when_claimed
    @rule(which=ANY, limit=st.integers(1, 3))
    def exchange(self, which: int, limit: int) -> None:
        batch = self.some_claims(which, 3)
        # Nothing that the claims of the same exchange might see.
        outcomes = [Succeeded(batch[0], b"\xff"), *(Failed(task, _FAULT) for task in batch[1:])]
        wanted = dict.fromkeys(GROUPS, limit)
        answer = self.both(seen.exchanged, "exchange", batch[0].worker_id, outcomes, wanted)
        self.claims += answer.claims

    @_when_claimed
    @rule(which=ANY, count=st.integers(1, 3), parked=st.booleans())
    def release(self, which: int, count: int, parked: bool) -> None:
        batch = self.some_claims(which, count)
        self.both(seen.as_is, "release", batch[0].worker_id, batch, parked=parked)

    def some_claims(self, which: int, count: int) -> list[Task]:
        """Claims of one worker, stale or not, each task once, at most one of them with a unique key."""
        # The newest are the ones most likely to hold, hence counted from the end.
        first = self.claims[-1 - which % len(self.claims)]
        batch = {first.id: first}
        for claim in reversed(self.claims):
            if len(batch) < count and claim.worker_id == first.worker_id and not claim.unique_key:
                batch.setdefault(claim.id, claim)
        return list(batch.values())

    @_when(TaskState.SOLO)
    @rule(worker=st.sampled_from(WORKERS))
    def claim_solo(self, worker: str) -> None:
        claim = self.both(seen.claim, "claim_solo", worker, GROUPS)
        self.claims += [] if claim is None else [claim]

    @_when(TaskState.PARKED)
    @rule(
        worker=st.sampled_from(WORKERS),
        group=st.sampled_from(GROUPS),
        names=st.sampled_from([NAMES, NAMES[:1]]),
    )
    def claim_parked(self, worker: str, group: str, names: tuple[str, ...]) -> None:
        self.claims += self.both(seen.claims, "claim_parked", worker, group, names, 2)

    @_when(TaskState.RUNNING)
    @rule(which=ANY, progress=st.sampled_from(["1", "é"]))
    def progress(self, which: int, progress: str) -> None:
        claim = self.claims[-1 - which % len(self.claims)]
        self.both(seen.as_is, "progress", claim.worker_id, claim, progress)

    # Leases

    @rule(
        verb=st.sampled_from(["register", "renew", "deregister"]),
        workers=st.sets(st.sampled_from(WORKERS)),
        ttl=st.sampled_from([10.0, 30.0]),
    )
    def lease(self, verb: str, workers: set[str], ttl: float) -> None:
        if verb == "register":
            for worker in sorted(workers):
                self.both(seen.as_is, verb, WorkerRecord(worker, info={"n": [1]}), ttl)
        elif verb == "renew":
            self.both(seen.as_set, verb, {worker: {"n": 0.5} for worker in workers}, ttl)
        else:
            self.both(seen.as_is, verb, workers)

    @_when(TaskState.RUNNING)
    @rule(
        worker=st.sampled_from(WORKERS),
        verdicts=st.lists(st.sampled_from(["suspect", "guilty", "other"]), min_size=1, max_size=4),
        lost=st.booleans(),
        limit=st.integers(1, 5),
    )
    def restore(self, worker: str, verdicts: list[str], lost: bool, limit: int) -> None:
        owned = sorted(task_id for task_id, _ in self.model.owned(worker, -1.0))
        judged = list(zip(owned, cycle(verdicts), strict=False))
        options = {
            "charged": {i: Lost("signal 11", "stack") for i, one in judged if one == "guilty"},
            "suspects": {i: Lost("signal 9") for i, one in judged if one == "suspect"},
            "lost": Lost("host gone") if lost else None,
        }
        # Which tasks one page takes is left to the store, hence all pages in one step.
        while self.both(seen.as_is, "restore", worker, limit=limit, **options):
            pass
        self.adopt_jitter([i for i, one in judged if lost and one == "other"])
        for task_id in owned:
            self.both(seen.attempts, "attempts", task_id)

    def adopt_jitter(self, ids: Collection[str]) -> None:
        """The one thing left to chance: take the subject's word for it, within bounds."""
        store, now = store_at(self.model.url), self.clock()
        for task_id, record in self.subject.get_many(ids).items():
            row = store.tasks[task_id]
            if row.waits:
                bound = 10.0 * 2 ** (row.task.lost - 1)
                assert now - 0.01 <= record.task.due <= now + bound + 0.01, record
                store.tasks[task_id] = replace(row, task=replace(row.task, due=record.task.due))

    # People

    @_when_put
    @rule(verb=st.sampled_from(["cancel", "discard"]), which=ANY, by=st.sampled_from(["", "é"]))
    def cancel_or_discard(self, verb: str, which: int, by: str) -> None:
        ids = self.some_ids(which, 1 + which % 2)
        self.both(seen.as_is, verb, ids, *([by] if verb == "cancel" else []))

    @_when(*FINISHED)
    @rule(which=ANY)
    def retry(self, which: int) -> None:
        finished = self.model.list_tasks(TaskFilter(FINISHED), limit=10_000)
        task = finished[which % len(finished)].task
        if task.unique_until not in (UniqueUntil.QUEUED, UniqueUntil.STARTED):
            self.both(seen.as_is, "retry", [task.id, "a_never"])

    @_when(*FINISHED)
    @rule()
    def purge(self) -> None:
        self.both(seen.as_is, "purge")

    @rule(
        verb=st.sampled_from(["pause", "resume", "resume"]),
        groups=st.sampled_from([None, None, ("a",), ("A", "b"), ()]),
    )
    def pause_or_resume(self, verb: str, groups: tuple[str, ...] | None) -> None:
        self.both(seen.as_is, verb, groups)

    def some_ids(self, which: int, count: int) -> list[str]:
        """Neighbours among the ids ever made, and one that never was."""
        start = which % len(self.ids)
        return [*self.ids[start : start + count], "a_never"]

    # Schedules

    @rule(scheduler=st.sampled_from(SCHEDULERS), stale=st.booleans(), state=st.binary(max_size=3))
    def fire(self, scheduler: str, stale: bool, state: bytes) -> None:
        expected = b"stale" if stale else self.model.scheduler_state(scheduler)
        self.both(seen.as_is, "fire", scheduler, expected, state, [self.new_task()])
        self.both(seen.as_is, "scheduler_state", scheduler)

    # Reads

    @_when_put
    @rule(
        states=st.none() | st.frozensets(st.sampled_from(list(TaskState)), min_size=1),
        group=st.none() | st.sampled_from(GROUPS),
        name=st.none() | st.sampled_from(NAMES),
        age=st.none() | st.sampled_from([0.0, 30.0]),
        limit=st.integers(1, 5),
        which=ANY,
    )
    def list_tasks(
        self, states: frozenset[TaskState] | None, age: float | None, **rest: Any
    ) -> None:
        if states and states & {TaskState.SCHEDULED, TaskState.QUEUED}:
            states |= {
                TaskState.SCHEDULED,
                TaskState.QUEUED,
            }  # when one becomes the other is left open
        which, limit = rest.pop("which"), rest.pop("limit")
        after = (self.some_ids(which, 1) if which % 2 else [None])[0]
        before = None if age is None else self.clock() - age
        wanted = TaskFilter(states=states, finished_before=before, **rest)
        self.both(seen.pages, "list_tasks", wanted, limit=limit, after=after)

    @rule(worker=st.sampled_from(WORKERS), age=st.sampled_from([-1.0, 5.0]))
    def look_around(self, worker: str, age: float) -> None:
        self.both(seen.as_set, "owned", worker, age)
        self.both(seen.as_set, "cancel_requested", worker)
        self.both(seen.as_set, "expired_workers")
        self.both(seen.workers, "workers")
        self.both(seen.groups, "groups", 3)
        if not self.any_due_is_scheduled():
            self.both(seen.rounded, "next_due", GROUPS)
            self.both(seen.ages, "groups")

    def any_due_is_scheduled(self) -> bool:
        """Whether a store may or may not have queued something already."""
        scheduled = TaskFilter(frozenset([TaskState.SCHEDULED]))
        records = self.model.list_tasks(scheduled, limit=10_000)
        return any(record.task.due <= self.clock() for record in records)


_FAULT = Fault("ValueError", "no", "trace")


def _outcome(kind: int, task: Task, interval: float, then: tuple[Task, ...]) -> Outcome:
    match kind:
        case 0:
            return Succeeded(task, b"result", then)
        case 1:
            return Failed(task, _FAULT, then)
        case 2:
            return Discarded(task, then)
        case 3:
            return (Cancelled if task.attempt % 2 else Expired)(task, then)
        case _:
            return Retried(task, interval, _FAULT, charged=kind == 4, then=then)


__all__ = ["BackendMachine", "check_against_memory"]
