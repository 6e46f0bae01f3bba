"""When tasks are put by the clock: schedules, the entries that follow them, and the entries' policies."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Literal, NotRequired, Protocol, TypedDict, TypeGuard, cast, get_args

from taskkitx import clock
from taskkitx.errors import InvalidSchedule
from taskkitx.localtime import CalendarSchedule, Fold, Gap
from taskkitx.missed import Missed, newest
from taskkitx.task import DEFAULT_TASK_TTL, Task, UniqueUntil

MAX_KEY = 255
MOST_POINTS = 1000
"""Of a longer row of instants that are due, a duplication policy of the application's sees the last ones only."""
GRID = 5
"""Seconds between the points that taskkit's form of a schedule chooses from."""
MOST_GRID = 24 * 3600.0
"""Seconds back from now from which such points are offered."""


class Schedule(Protocol):
    """Says when it fires next."""

    def next_after(self, instant: float, zone: tzinfo) -> float | None:
        """The first instant (UNIX seconds) strictly after this one; None: never. `zone` is used if it has none."""
        ...


class PointsSchedule(Protocol):
    """taskkit's form of a schedule: it chooses among the instants that are due, one for every five seconds."""

    def get_timezone(self) -> tzinfo | None:
        """The zone the points are given in; None: the scheduler's."""
        ...

    def __call__(self, points: list[datetime], last: datetime | None, /) -> list[datetime]:
        """The points to fire; `last` is the one fired last."""
        ...


class DuplicationPolicy(Protocol):
    """Chooses among instants that are due at once, after a downtime."""

    def __call__(self, points: list[datetime], last: datetime | None, /) -> list[datetime]:
        """The points to fire; `last` is the one fired last."""
        ...


@dataclass(frozen=True)
class OnlyLatest:
    """Of several missed instants, fire the latest."""

    def __call__(self, points: list[datetime], last: datetime | None, /) -> list[datetime]:
        """The last point."""
        return points[-1:]


@dataclass(frozen=True)
class OnlyEarliest:
    """Of several missed instants, fire the earliest."""

    def __call__(self, points: list[datetime], last: datetime | None, /) -> list[datetime]:
        """The first point."""
        return points[:1]


ONLY_LATEST = OnlyLatest()

Overlap = Literal["allow", "skip", "queue_one"]
"""While an earlier task of the entry has not finished: put the next one all the same, do not, or let one wait."""

_UNTIL = {"skip": UniqueUntil.DONE, "queue_one": UniqueUntil.QUEUED}
_OPTIONS = frozenset(
    ["priority", "timeout", "expires", "headers", "unique_key", "unique_until", "unique_for"]
)
_CHOICES: dict[str, tuple[str, ...]] = {
    "overlap": get_args(Overlap),
    "gap": get_args(Gap),
    "fold": get_args(Fold),
}


@dataclass(frozen=True)
class ScheduleEntry:
    """One task put again and again.

    `data` is already encoded; `result_ttl`: seconds its finished task is kept. Raises InvalidSchedule naming field and
    value, InvalidTask for a group or a name that no task can have.
    """

    key: str
    schedule: Schedule | PointsSchedule
    group: str
    name: str
    data: bytes
    result_ttl: float | None = None
    _: KW_ONLY
    missed: str | None = None
    """What becomes of instants that passed while nobody looked: `latest`, `earliest`, `all(50)` (the last fifty, oldest
    first), `skip`. None: what the schedule's duplication policy says, else `latest`."""
    look_back: float | None = None
    """Seconds; what was missed longer ago is forgotten. None: nothing is."""
    overlap: Overlap = "allow"
    gap: Gap = "shift"
    fold: Fold = "first"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """Fields of its tasks beyond taskkit's: priority, timeout, expires, headers."""

    def __post_init__(self) -> None:
        """Refuse an entry that could put no task."""
        check_key("key", self.key)
        if not (_says_next(self.schedule) or callable(self.schedule)):
            raise InvalidSchedule(
                f"schedule={self.schedule!r} of the entry {self.key!r}: it takes a schedule, such as "
                "RegularSchedule(minutes=0) or CronSchedule('0 * * * *')"
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidSchedule(
                    f"{name}={getattr(self, name)!r} of the entry {self.key!r}: "
                    f"it takes {' or '.join(map(repr, choices))}"
                )
        if self.look_back is not None and not (_is_number(self.look_back) and self.look_back > 0):
            raise InvalidSchedule(
                f"look_back={self.look_back!r} of the entry {self.key!r}: it takes seconds above 0"
            )
        Missed.named(self.missed)
        allowed = _OPTIONS if self.overlap == "allow" else _OPTIONS - {"unique_key", "unique_until"}
        for name in self.options.keys() - allowed:
            raise InvalidSchedule(
                f"options={dict(self.options)!r} of the entry {self.key!r}: with overlap={self.overlap!r} "
                f"a task takes no {name!r}, but {', '.join(sorted(allowed))}"
            )
        self.task(None)

    def zone(self, default: tzinfo) -> tzinfo:
        """The zone its local times are meant in."""
        get_timezone: Callable[[], tzinfo | None] | None = getattr(
            self.schedule, "get_timezone", None
        )
        return (get_timezone and get_timezone()) or default

    def next_after(self, instant: float, zone: tzinfo) -> float | None:
        """The first instant strictly after this one, by its policies; `zone` is used if the schedule has none.

        Raises InvalidSchedule when a schedule of the application's answers with an instant that is not later.
        """
        if isinstance(self.schedule, CalendarSchedule):
            return self.schedule.next_after(instant, zone, self.gap, self.fold)
        if not _says_next(self.schedule):
            return (instant // GRID + 1) * GRID
        found = self.schedule.next_after(instant, zone)
        if found is not None and not found > instant:
            raise InvalidSchedule(
                f"schedule={self.schedule!r} of the entry {self.key!r}: "
                f"next_after({instant!r}) is {found!r}, which is not later"
            )
        return found

    def due(self, since: float, now: float, last: float | None, zone: tzinfo) -> list[float]:
        """Of the instants in (since, now], those to fire, oldest first; `last` is the one fired last."""
        if self.look_back is not None:
            since = max(since, now - self.look_back)
        schedule = self.schedule
        if not _says_next(schedule):
            first = max(since, now - MOST_GRID) // GRID + 1
            grid = [count * float(GRID) for count in range(int(first), int(now // GRID) + 1)]
            return self._chosen(cast("PointsSchedule", schedule), grid, last, zone)

        def next_after(instant: float) -> float | None:
            return self.next_after(instant, zone)

        missed = self.missed_policy
        if isinstance(missed, Missed):
            return missed.choose(next_after, since, now)
        return self._chosen(missed, newest(next_after, since, now, MOST_POINTS), last, zone)

    def _chosen(
        self, choose: DuplicationPolicy, points: list[float], last: float | None, zone: tzinfo
    ) -> list[float]:
        """What the application's code chooses among the points, which it sees in local time."""
        if not points:
            return []
        zone = self.zone(zone)
        moments = [datetime.fromtimestamp(point, zone) for point in points]
        before = None if last is None else datetime.fromtimestamp(last, zone)
        chosen = {clock.as_timestamp(moment) for moment in choose(moments, before)}
        return sorted(point for point in chosen if points[0] <= point <= points[-1])

    @property
    def missed_policy(self) -> Missed | DuplicationPolicy:
        """What becomes of missed instants: as the entry says, else as its schedule does."""
        policy: DuplicationPolicy = getattr(self.schedule, "duplication_policy", ONLY_LATEST)
        if self.missed is not None or type(policy) is OnlyLatest:
            return Missed.named(self.missed)
        return Missed("earliest") if type(policy) is OnlyEarliest else policy

    def task(self, point: float | None, scheduler: str = "") -> Task:
        """Its task for an instant; None: for now, by somebody's wish."""
        options = dict(self.options)
        if self.overlap != "allow":
            options["unique_key"] = f"schedule {json.dumps([scheduler, self.key])}"
            options["unique_until"] = _UNTIL[self.overlap]
        ttl = DEFAULT_TASK_TTL if self.result_ttl is None else self.result_ttl
        return Task.init(
            self.group, self.name, self.data, due=point, scheduled=point, ttl=ttl, **options
        )


def _says_next(schedule: Schedule | PointsSchedule) -> TypeGuard[Schedule]:
    """Whether it has our form, not taskkit's; merely inheriting `next_after` from the protocol is not having it."""
    return getattr(type(schedule), "next_after", None) not in (None, Schedule.next_after)


class ScheduleEntryDict(TypedDict):
    """A schedule entry whose data the Kit encodes."""

    key: str
    schedule: Schedule | PointsSchedule
    group: str
    name: str
    data: Any
    result_ttl: NotRequired[float | None]
    missed: NotRequired[str | None]
    look_back: NotRequired[float | None]
    overlap: NotRequired[Overlap]
    gap: NotRequired[Gap]
    fold: NotRequired[Fold]
    options: NotRequired[Mapping[str, Any]]


ScheduleEntryCompat = ScheduleEntry | ScheduleEntryDict
ScheduleEntriesCompat = Sequence[ScheduleEntryCompat]
ScheduleEntriesCompatMapping = Mapping[str, ScheduleEntriesCompat]


class Encodes(Protocol):
    """The part of a handler that makes a task's data."""

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        """The data as bytes."""
        ...


def checked_entries(
    entries: ScheduleEntriesCompatMapping, handler: Encodes
) -> dict[str, list[ScheduleEntry]]:
    """The entries by scheduler, dicts encoded. Raises InvalidSchedule."""
    for scheduler in entries:
        check_key("scheduler", scheduler)
    return {scheduler: as_entries(made, handler.encode_data) for scheduler, made in entries.items()}


def as_entries(
    entries: ScheduleEntriesCompat, encode: Callable[[str, str, Any], bytes]
) -> list[ScheduleEntry]:
    """The entries of one scheduler, dicts encoded. Raises InvalidSchedule when two share a key."""
    made = [_as_entry(entry, encode) for entry in entries]
    seen: set[str] = set()
    for entry in made:
        if entry.key in seen:
            raise InvalidSchedule(f"key={entry.key!r}: two entries of one scheduler have it")
        seen.add(entry.key)
    return made


def _as_entry(
    entry: ScheduleEntryCompat, encode: Callable[[str, str, Any], bytes]
) -> ScheduleEntry:
    if isinstance(entry, ScheduleEntry):
        return entry
    missing = ScheduleEntryDict.__required_keys__ - entry.keys()
    unknown = (
        entry.keys() - ScheduleEntryDict.__required_keys__ - ScheduleEntryDict.__optional_keys__
    )
    if missing or unknown:
        raise InvalidSchedule(
            f"{', '.join(map(repr, sorted(missing or unknown)))} {'missing' if missing else 'unknown'} "
            f"in the schedule entry {entry.get('key')!r}"
        )
    data = encode(entry["group"], entry["name"], entry["data"])
    fields: dict[str, Any] = {**entry, "data": data}
    return ScheduleEntry(**fields)


def check_key(field: str, value: object) -> None:
    """Raises InvalidSchedule for what no entry or scheduler can be called."""
    if isinstance(value, str) and 1 <= len(value) <= MAX_KEY and value.isprintable():
        return
    raise InvalidSchedule(f"{field}={value!r}: it takes 1 to {MAX_KEY} printable characters")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
