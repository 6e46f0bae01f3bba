"""What a task is: its data, when it is due, and what the store knows of its life so far."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, tzinfo
from enum import IntEnum, StrEnum
from typing import Any

from taskkitx import clock
from taskkitx.errors import InvalidTask
from taskkitx.ids import check_group, check_name, group_of, make_task_id

DEFAULT_TASK_TTL = 7 * 24 * 3600.0
MAX_PRIORITY = 2**31 - 1
MAX_SECONDS = 1e12
"""No time or duration is longer: what is, was meant in another unit, or not meant at all."""


class TaskState(IntEnum):
    """Where a task is in its life. Stores keep the number; everything at or above SUCCEEDED has finished."""

    SCHEDULED = 0
    QUEUED = 1
    SOLO = 2
    PARKED = 3
    BLOCKED = 4
    RUNNING = 5
    SUCCEEDED = 6
    FAILED = 7
    CANCELLED = 8
    DISCARDED = 9
    EXPIRED = 10

    @property
    def finished(self) -> bool:
        """Whether nothing will happen to the task any more, unless a person retries it."""
        return self >= TaskState.SUCCEEDED

    @property
    def label(self) -> str:
        """The word people read."""
        return self.name.lower()


class UniqueUntil(StrEnum):
    """How long a unique key stands in the way of a second task with the same key."""

    QUEUED = "queued"
    """While the task waits, for its first attempt or for a retry."""
    STARTED = "started"
    """Until its first attempt is claimed."""
    DONE = "done"
    """Until it has finished."""
    WINDOW = "window"
    """For `unique_for` seconds since it was put, whatever becomes of it."""


@dataclass(frozen=True)
class Task:
    """One unit of work. Times are UNIX seconds (UTC), durations are seconds.

    Immutable: the store changes a task's life, and a later read shows it. `attempt` and `worker_id` are the fence:
    only the attempt that owns the running task may write about it.
    """

    id: str
    name: str
    data: bytes
    due: float
    created: float
    scheduled: float | None = None
    """The instant of the schedule that put this task, when one did."""
    retry_count: int = 0
    """Failures before this attempt."""
    ttl: float = DEFAULT_TASK_TTL
    """How long the task is kept once finished."""

    # The rest is ours; taskkit ends here.
    priority: int = 0
    """Higher runs first."""
    state: TaskState = TaskState.QUEUED
    delay: float | None = None
    """Only when put: due that long after the store's now."""
    attempt: int = 0
    """+1 at every claim, never reset."""
    worker_id: str | None = None
    """Who claimed it last; None again when the claim was given or taken back."""
    began: float | None = None
    """When the current or last attempt was claimed, by the store's clock."""
    crashes: int = 0
    """How often this task is known to have killed its worker."""
    lost: int = 0
    """How often it vanished together with its host."""
    loss: str | None = None
    """How the last attempt was lost, when it ended with its worker instead of an outcome."""
    timeout: float | None = None
    """Hard limit of one attempt."""
    expires: float | None = None
    """It must be claimed within that long since `created`, or not at all."""
    unique_key: str | None = None
    unique_until: UniqueUntil | None = None
    unique_for: float | None = None
    headers: Mapping[str, str] | None = None
    """What travels along: trace context, metadata, the codec's id."""
    unreadable: str | None = None
    """What makes no sense about it in the store, where somebody else has written there. Stores give it out as any task
    (to raise would keep back what is claimed with it), and it fails without being run."""

    @classmethod
    def init(
        cls,
        group: str,
        name: str,
        data: bytes,
        due: datetime | float | None = None,
        scheduled: datetime | float | None = None,
        ttl: float = DEFAULT_TASK_TTL,
        **options: Any,
    ) -> "Task":
        """A new task, ready to be put. `due` None means at once.

        A naive datetime is local time. `options` are the fields from `priority` on.
        Raises InvalidTask when group, name, data or a number is out of bounds; a negative `delay` is none.
        """
        created = clock.now()
        waits = due is not None or options.get("delay") is not None
        if not isinstance(data, bytes):
            raise InvalidTask(f"a task's data is bytes, not {type(data).__name__}")
        # A frozen dataclass sets every field by itself; leaving defaults to the class halves the cost of an enqueue.
        state = (task := object.__new__(cls)).__dict__
        state["id"] = make_task_id(check_group(group))
        state["name"] = check_name(name)
        state["data"] = data
        state["due"] = created if due is None else _timestamp("due", due)
        state["created"] = created
        state["scheduled"] = None if scheduled is None else _timestamp("scheduled", scheduled)
        state["ttl"] = ttl
        state["state"] = TaskState.SCHEDULED if waits else TaskState.QUEUED
        if options:
            return _checked(cls(**state, **options))
        # The defaults need no check, and most tasks are made of them.
        return _checked(task) if waits or scheduled is not None or ttl != DEFAULT_TASK_TTL else task

    @property
    def group(self) -> str:
        """The lane of this task."""
        return group_of(self.id)

    def due_dt(self, tzinfo: tzinfo | None = None) -> datetime:
        """`due` as an aware datetime, in the local zone unless another is given."""
        return _in_zone(self.due, tzinfo)

    def created_dt(self, tzinfo: tzinfo | None = None) -> datetime:
        """`created` as an aware datetime, in the local zone unless another is given."""
        return _in_zone(self.created, tzinfo)

    def scheduled_dt(self, tzinfo: tzinfo | None = None) -> datetime | None:
        """`scheduled` as an aware datetime, in the local zone unless another is given."""
        return None if self.scheduled is None else _in_zone(self.scheduled, tzinfo)

    @staticmethod
    def make_id(group: str) -> str:
        """A new id for a task of `group`."""
        return make_task_id(group)

    @staticmethod
    def get_group_from_id(task_id: str) -> str:
        """The group a task id names."""
        return group_of(task_id)

    @staticmethod
    def group_tasks(*tasks: "Task") -> dict[str, list["Task"]]:
        """The tasks by group, order kept."""
        grouped: dict[str, list[Task]] = {}
        for task in tasks:
            grouped.setdefault(task.group, []).append(task)
        return grouped

    @staticmethod
    def group_task_ids(*task_ids: str) -> dict[str, list[str]]:
        """The ids by group, order kept."""
        grouped: dict[str, list[str]] = {}
        for task_id in task_ids:
            grouped.setdefault(group_of(task_id), []).append(task_id)
        return grouped

    def to_dict(self) -> dict[str, Any]:
        """Every field by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def clone_for_retry(self, interval: float) -> "Task":
        """The same task as it will be after a failure retried in `interval` seconds."""
        return replace(self, due=clock.now() + interval, retry_count=self.retry_count + 1)


def _timestamp(name: str, moment: datetime | float) -> float:
    if not isinstance(moment, datetime | int | float):
        raise InvalidTask(
            f"a task's {name} is a datetime or a number of UNIX seconds, not {moment!r}"
        )
    try:
        return clock.as_timestamp(moment)
    except (ValueError, OverflowError) as error:
        raise InvalidTask(f"a task's {name} cannot be {moment!r}: {error}") from None


def _checked(task: Task) -> Task:
    """The task, if its numbers can be meant."""
    for name in ("due", "scheduled", "delay"):
        _check_seconds(name, getattr(task, name), least=-MAX_SECONDS)
    for name in ("ttl", "timeout", "expires", "unique_for"):
        _check_seconds(name, getattr(task, name), least=0)
    if not isinstance(task.priority, int) or abs(task.priority) > MAX_PRIORITY:
        raise InvalidTask(
            f"a task's priority is a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}, "
            f"not {task.priority!r}"
        )
    for name, text in (task.headers or {}).items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise InvalidTask(
                f"a task's header {name!r} is {text!r}: names and values of headers are str"
            )
    if task.unique_until is UniqueUntil.WINDOW and task.unique_for is None:
        raise InvalidTask("a task unique within a window says with unique_for how many seconds")
    return task


def _check_seconds(name: str, value: float | None, least: float) -> None:
    # NaN fails every comparison, hence this one.
    if value is not None and not (isinstance(value, int | float) and least <= value <= MAX_SECONDS):
        raise InvalidTask(
            f"a task's {name} is a number of seconds from {least:g} to {MAX_SECONDS:g}, not {value!r}"
        )


def _in_zone(timestamp: float, zone: tzinfo | None) -> datetime:
    moment = datetime.fromtimestamp(timestamp, UTC)
    return moment.astimezone(zone)
