"""Tasks as people look at them: decoded, page by page, never more than was asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

from taskkitx.backend import Backend
from taskkitx.errors import ConfigurationError
from taskkitx.record import Attempt, Record, TaskFilter
from taskkitx.result import Progress
from taskkitx.task import Task, TaskState

LONGEST_PAGE = 1000
CAP = 10_000
"""Counting stops there: a look must not cost more the longer the queue."""

Item = TypeVar("Item")


class Decoder(Protocol):
    """What reads a task's bytes."""

    def decode_call(self, task: Task) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Positional and named arguments."""
        ...

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        """What the function returned."""
        ...


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A task as it was when it was read. Times are UNIX seconds."""

    record: Record
    """Everything, as the store keeps it."""
    backend: Backend
    decoder: Decoder

    def __repr__(self) -> str:
        return f"<{self.name} {self.id} {self.state.label}>"

    @property
    def task(self) -> Task:
        """Its fields, data still encoded."""
        return self.record.task

    @property
    def id(self) -> str:
        """The task's id."""
        return self.task.id

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.task.name

    @property
    def group(self) -> str:
        """Its group."""
        return self.task.group

    @property
    def state(self) -> TaskState:
        """Where it was in its life."""
        return self.record.state

    @property
    def args(self) -> Sequence[Any]:
        """Positional arguments. Raises DecodeError."""
        return self.decoder.decode_call(self.task)[0]

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Named arguments. Raises DecodeError."""
        return self.decoder.decode_call(self.task)[1]

    @property
    def result(self) -> Any:
        """What the function returned; None unless it succeeded. Raises DecodeError."""
        encoded = self.record.result
        return None if encoded is None else self.decoder.decode_result(self.task, encoded)

    @property
    def error(self) -> str | None:
        """Why it failed: exception, message, traceback."""
        return self.record.error

    @property
    def progress(self) -> Progress | None:
        """What it last reported of itself."""
        text = self.record.progress
        return None if text is None else Progress.from_json(text)

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that did not succeed, oldest first, read now."""
        return self.backend.attempts(self.id)

    @property
    def created(self) -> float:
        """When it was put."""
        return self.task.created

    @property
    def done(self) -> float | None:
        """When it finished."""
        return self.record.done

    @property
    def cancelled_by(self) -> str | None:
        """Who asked first to cancel it."""
        return self.record.cancelled_by

    @property
    def cancelled_at(self) -> float | None:
        """When that was."""
        return self.record.cancel_requested


class Page(Sequence[Item], Generic[Item]):
    """Some items, and where the next ones begin: pass `next` as `page` to get them; None: these were the last."""

    def __init__(self, items: Sequence[Item], next: str | None) -> None:
        """`next` names the place after the last item."""
        self._items = list(items)
        self.next = next

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        """By position."""
        return self._items[index]

    def __len__(self) -> int:
        """How many there are on this page."""
        return len(self._items)

    def __repr__(self) -> str:
        return f"Page({self._items!r}, next={self.next!r})"


def read_page(
    backend: Backend,
    which: TaskFilter,
    limit: int,
    page: str | None,
    make: Callable[[Record], Item],
) -> Page[Item]:
    """One page, newest first. Raises ConfigurationError when more is asked for than a page holds."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LONGEST_PAGE:
        raise ConfigurationError(f"limit is {limit!r}: a page has 1 to {LONGEST_PAGE} tasks")
    if page is not None and not isinstance(page, str):
        raise ConfigurationError(f"page is {page!r}: it is the `next` of the page before")
    records = backend.list_tasks(which, limit=limit, after=page)
    after = records[-1].task.id if len(records) == limit else None
    return Page([make(record) for record in records], after)


def pages_of_ids(backend: Backend, which: TaskFilter, size: int = 500) -> Iterator[list[str]]:
    """The ids of all such tasks, newest first, page by page; those put meanwhile are not met."""
    after: str | None = None
    while True:
        records = backend.list_tasks(which, limit=size, after=after)
        if records:
            yield [record.task.id for record in records]
        if len(records) < size:
            return
        after = records[-1].task.id


def as_states(
    state: "TaskState | str | Sequence[TaskState | str] | None",
) -> "frozenset[TaskState] | None":
    """The states these words mean. Raises ConfigurationError for a word that is none."""
    if state is None:
        return None
    several = [state] if isinstance(state, str | TaskState) else state
    return frozenset(_as_state(one) for one in several)


def _as_state(state: TaskState | str) -> TaskState:
    if isinstance(state, TaskState):
        return state
    try:
        return TaskState[state.upper()]
    except (KeyError, AttributeError):
        known = ", ".join(one.label for one in TaskState)
        raise ConfigurationError(f"there is no state {state!r}: {known}") from None


def count_states(backend: Backend, group: str | None = None) -> dict[str, int]:
    """How many tasks are in each state, of one group or of all; each group's count stops at 10,000."""
    counts = dict.fromkeys((state.label for state in TaskState), 0)
    for status in backend.groups(CAP):
        if group is None or status.group == group:
            for state, count in status.counts.items():
                counts[state.label] += count
    return counts


def parked_names(backend: Backend, cap: int = 1000) -> dict[tuple[str, str], int]:
    """What waits for a process that knows its name: (group, name) -> how many of the newest `cap` parked tasks."""
    parked = backend.list_tasks(TaskFilter(states=frozenset({TaskState.PARKED})), limit=cap)
    found: dict[tuple[str, str], int] = {}
    for record in parked:
        key = (record.task.group, record.task.name)
        found[key] = found.get(key, 0) + 1
    return found
