"""Rules of those who look after a store: keepers, schedulers, people."""

from collections.abc import Collection
from dataclasses import replace
from itertools import cycle

from hypothesis import strategies as st
from hypothesis.stateful import rule

from taskkitx.backends.memory.store import store_at
from taskkitx.record import Lost, TaskFilter, WorkerRecord
from taskkitx.task import TaskState, UniqueUntil
from taskkitx.testing.model import seen
from taskkitx.testing.model.ground import ANY, FINISHED, WORKERS, ModelGround, when, when_put

SCHEDULERS = ("s", "S")


class CareRules(ModelGround):
    """Leases, restore, commands on tasks, pause, schedules."""

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

    @when(TaskState.RUNNING)
    @rule(
        worker=st.sampled_from(WORKERS),
        verdicts=st.lists(
            st.sampled_from(["suspect", "told", "guilty", "done for", "other"]),
            min_size=1,
            max_size=4,
        ),
        lost=st.booleans(),
        limit=st.integers(1, 5),
    )
    def restore(self, worker: str, verdicts: list[str], lost: bool, limit: int) -> None:
        owned = sorted(task_id for task_id, _ in self.model.owned(worker, -1.0))
        judged = list(zip(owned, cycle(verdicts), strict=False))
        options = {
            "charged": {
                i: Lost("signal 11", "stack", again=one == "guilty")
                for i, one in judged
                if one in ("guilty", "done for")
            },
            "suspects": {
                i: Lost("signal 9", alone=one == "suspect")
                for i, one in judged
                if one in ("suspect", "told")
            },
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

    @when_put
    @rule(verb=st.sampled_from(["cancel", "discard"]), which=ANY, by=st.sampled_from(["", "é"]))
    def cancel_or_discard(self, verb: str, which: int, by: str) -> None:
        ids = self.some_ids(which, 1 + which % 2)
        self.both(seen.as_is, verb, ids, *([by] if verb == "cancel" else []))

    @when(*FINISHED)
    @rule(which=ANY)
    def retry(self, which: int) -> None:
        finished = self.model.list_tasks(TaskFilter(FINISHED), limit=10_000)
        task = finished[which % len(finished)].task
        if task.unique_until not in (UniqueUntil.QUEUED, UniqueUntil.STARTED):
            self.both(seen.as_is, "retry", [task.id, "a_never"])

    @when(*FINISHED)
    @rule()
    def purge(self) -> None:
        self.both(seen.as_is, "purge")

    @rule(
        verb=st.sampled_from(["pause", "resume", "resume"]),
        groups=st.sampled_from([None, None, ("a",), ("A", "b"), ()]),
    )
    def pause_or_resume(self, verb: str, groups: tuple[str, ...] | None) -> None:
        self.both(seen.as_is, verb, groups)

    @rule(scheduler=st.sampled_from(SCHEDULERS), stale=st.booleans(), state=st.binary(max_size=3))
    def fire(self, scheduler: str, stale: bool, state: bytes) -> None:
        expected = b"stale" if stale else self.model.scheduler_state(scheduler)
        self.both(seen.as_is, "fire", scheduler, expected, state, [self.new_task()])
        self.both(seen.as_is, "scheduler_state", scheduler)
