"""Rules of readers, who change nothing and want to see everything."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from taskkitx.record import TaskFilter
from taskkitx.task import TaskState
from taskkitx.testing.model import seen
from taskkitx.testing.model.ground import ANY, GROUPS, NAMES, WORKERS, ModelGround, when_put


class ReadRules(ModelGround):
    """Pages, owners, workers, groups."""

    @when_put
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
            # When the one becomes the other is left to the store.
            states |= {TaskState.SCHEDULED, TaskState.QUEUED}
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
