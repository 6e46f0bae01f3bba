"""Rules of producers and workers: put, claim, finish, release, progress."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

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
from taskkitx.record import TaskFilter
from taskkitx.task import Task, TaskState
from taskkitx.testing.model import seen
from taskkitx.testing.model.ground import (
    ANY,
    GROUPS,
    KEYS,
    NAMES,
    WORKERS,
    ModelGround,
    when,
    when_claimed,
    when_put,
)


class WorkRules(ModelGround):
    """Tasks come in, and the worker's cycle."""

    @initialize(names=st.lists(st.sampled_from(NAMES), min_size=3, max_size=6), share=ANY)
    def begins_with_work(self, names: list[str], share: int) -> None:
        """So that every run has something to quarrel about."""
        tasks = [self.new_task(group=GROUPS[i % 2], name=name) for i, name in enumerate(names)]
        self.both(seen.as_is, "put", tasks)
        self.claim(WORKERS[share % 3], (share % 4, 1, 0))

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

    @when_put
    @rule(which=ANY)
    def put_again(self, which: int) -> None:
        known = self.ids[which % len(self.ids)]
        self.both(seen.as_is, "put", [replace(self.new_task(), id=known)])

    def runs_with(self, key: str) -> bool:
        """Whether a running task was put with this key."""
        running = self.model.list_tasks(TaskFilter(frozenset([TaskState.RUNNING])), limit=10_000)
        return any(record.task.unique_key == key for record in running)

    @when(TaskState.QUEUED, TaskState.SCHEDULED)
    @rule(worker=st.sampled_from(WORKERS), limits=st.tuples(*[st.integers(0, 4)] * len(GROUPS)))
    def claim(self, worker: str, limits: tuple[int, ...]) -> None:
        wanted = dict(zip(GROUPS, limits, strict=True))
        self.claims += self.both(seen.claims, "claim", worker, wanted)

    @when_claimed
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

    @when_claimed
    @rule(which=ANY, limit=st.integers(1, 3))
    def exchange(self, which: int, limit: int) -> None:
        batch = self.some_claims(which, 3)
        worker, known = batch[0].worker_id, self.model.get_many([task.id for task in batch])
        # What comes first, these outcomes or the claims, is left to the store: so nothing that would tell.
        outcomes = [
            Failed(task, _FAULT) if number % 2 else Succeeded(task, b"\xff")
            for number, task in enumerate(batch)
            if task.id not in known or known[task.id].state >= TaskState.RUNNING
        ]
        wanted = dict.fromkeys(GROUPS, limit)
        answer = self.both(seen.exchanged, "exchange", worker, outcomes, wanted)
        self.claims += answer.claims

    @when_claimed
    @rule(which=ANY, count=st.integers(1, 3), parked=st.booleans())
    def release(self, which: int, count: int, parked: bool) -> None:
        batch = self.some_claims(which, count)
        self.both(seen.as_is, "release", batch[0].worker_id, batch, parked=parked)

    @when(TaskState.SOLO)
    @rule(worker=st.sampled_from(WORKERS))
    def claim_solo(self, worker: str) -> None:
        claim = self.both(seen.claim, "claim_solo", worker, GROUPS)
        self.claims += [] if claim is None else [claim]

    @when(TaskState.PARKED)
    @rule(
        worker=st.sampled_from(WORKERS),
        group=st.sampled_from(GROUPS),
        names=st.sampled_from([NAMES, NAMES[:1]]),
    )
    def claim_parked(self, worker: str, group: str, names: tuple[str, ...]) -> None:
        self.claims += self.both(seen.claims, "claim_parked", worker, group, names, 2)

    @when(TaskState.RUNNING)
    @rule(which=ANY, progress=st.sampled_from(["1", "é"]))
    def progress(self, which: int, progress: str) -> None:
        claim = self.claims[-1 - which % len(self.claims)]
        self.both(seen.as_is, "progress", claim.worker_id, claim, progress)

    def some_claims(self, which: int, count: int) -> list[Task]:
        """Claims of one worker, stale or not, each task once, at most one of them with a unique key."""
        # The newest are the ones most likely to hold, hence counted from the end.
        first = self.claims[-1 - which % len(self.claims)]
        batch = {first.id: first}
        for claim in reversed(self.claims):
            if len(batch) < count and claim.worker_id == first.worker_id and not claim.unique_key:
                batch.setdefault(claim.id, claim)
        return list(batch.values())


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
