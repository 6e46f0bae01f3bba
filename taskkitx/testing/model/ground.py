"""What every rule of the machine stands on: two stores with one clock, and how they are compared."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from taskkitx.backend import Backend
from taskkitx.backends.memory import MemoryBackend
from taskkitx.record import TaskFilter
from taskkitx.task import Task, TaskState, UniqueUntil
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.model import seen

MakeSubject = Callable[[FakeClock], Backend]

GROUPS = ("a", "A", "b")
NAMES = ("n", "m")
WORKERS = ("wk_1", "wk_2", "wk_3")
FINISHED = frozenset(state for state in TaskState if state.finished)
KEYS = {**{str(mode): mode for mode in UniqueUntil}, "none": None}
"""A key for each mode: tasks of different modes that share one are the suite's business."""

ANY = st.integers(min_value=0, max_value=30)
"""Which one of those there are, counted round and round."""

_stores = count()


def when(*states: TaskState) -> Callable[[Any], Any]:
    """Only when the model has a task in one of these states: a step without effect is a step lost."""
    which = TaskFilter(frozenset(states))
    return precondition(lambda machine: bool(machine.model.list_tasks(which, limit=1)))


when_claimed = precondition(lambda machine: bool(machine.claims))
when_put = precondition(lambda machine: bool(machine.ids))


class ModelGround(RuleBasedStateMachine):
    """Base of the rules of all areas."""

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

    @invariant()
    def stores_know_the_same(self) -> None:
        """After every step."""
        self.both(seen.records, "list_tasks", TaskFilter(), limit=10_000)

    @rule(seconds=st.sampled_from([0.25, 1.0, 9.0, 11.0, 21.0, 60.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

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

    def some_ids(self, which: int, count: int) -> list[str]:
        """Neighbours among the ids ever made, and one that never was."""
        start = which % len(self.ids)
        return [*self.ids[start : start + count], "a_never"]
