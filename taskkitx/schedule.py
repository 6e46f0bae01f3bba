"""When tasks are put by the clock: entries, the schedules they follow, and what becomes of instants that were missed.

Local times are computed in the schedule's zone: one that a clock change skips fires at the first valid instant after
it, one that comes twice fires the first time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Literal, NotRequired, Protocol, TypedDict

from taskkitx.errors import InvalidSchedule
from taskkitx.ids import check_group, check_name

Zone = tzinfo
"""The type, where a field has its name."""

Every = int | set[int] | Literal["*"] | None

LOOK_AHEAD_DAYS = 366 * 9
"""29 February comes within eight years, except around a century that has none."""


class Schedule(Protocol):
    """Says when it fires next."""

    def next_after(self, instant: float, zone: Zone) -> float | None:
        """The first instant (UNIX seconds) strictly after this one; None: never. `zone` is used if it has none."""
        ...


class DuplicationPolicy(Protocol):
    """Chooses among instants that are due at once, after a downtime."""

    def __call__(self, points: Sequence[float], last: float | None) -> Sequence[float]:
        """The instants to fire; `last` is the one fired last."""
        ...


@dataclass(frozen=True)
class OnlyLatest:
    """Of several missed instants, fire the latest."""

    def __call__(self, points: Sequence[float], last: float | None) -> Sequence[float]:
        """The last point."""
        return points[-1:]


@dataclass(frozen=True)
class OnlyEarliest:
    """Of several missed instants, fire the earliest."""

    def __call__(self, points: Sequence[float], last: float | None) -> Sequence[float]:
        """The first point."""
        return points[:1]


@dataclass(frozen=True)
class RegularSchedule:
    """Fires whenever seconds, minutes, hours, days, weekdays and months all match; None or '*' matches all.

    `weekdays`: Monday is 0. `tzinfo` None: the zone of the scheduler. Raises InvalidSchedule naming field and value,
    also for dates that never come, such as 31 February.
    """

    seconds: Every = 0
    minutes: Every = None
    hours: Every = None
    days: Every = None
    weekdays: Every = None
    months: Every = None
    tzinfo: Zone | None = None
    duplication_policy: DuplicationPolicy = field(default_factory=OnlyLatest)

    def __post_init__(self) -> None:
        """Refuse what could never be meant."""
        for name, low, high in _FIELDS:
            _members(name, getattr(self, name), low, high)
        if not any(self._matches(date(2024, 1, 1) + timedelta(n)) for n in range(LOOK_AHEAD_DAYS)):
            raise InvalidSchedule(
                f"days={self.days!r} with months={self.months!r} and weekdays={self.weekdays!r} never comes"
            )

    def next_after(self, instant: float, zone: Zone) -> float | None:
        """The first matching instant strictly after this one."""
        zone = self.tzinfo or zone
        # A clock change may push an instant of the day before past midnight, hence one day earlier.
        first = datetime.fromtimestamp(instant, zone).date() - timedelta(days=1)
        for offset in range(LOOK_AHEAD_DAYS):
            day = first + timedelta(days=offset)
            if self._matches(day):
                for point in self._instants(day, zone):
                    if point > instant:
                        return point
        return None

    def _matches(self, day: date) -> bool:
        return (
            day.month in _members("months", self.months, 1, 12)
            and day.day in _members("days", self.days, 1, 31)
            and day.weekday() in _members("weekdays", self.weekdays, 0, 6)
        )

    def _instants(self, day: date, zone: Zone) -> Iterator[float]:
        for hour in _members("hours", self.hours, 0, 23):
            for minute in _members("minutes", self.minutes, 0, 59):
                for second in _members("seconds", self.seconds, 0, 59):
                    yield instant_of(datetime.combine(day, time(hour, minute, second)), zone)


_FIELDS = (
    ("seconds", 0, 59),
    ("minutes", 0, 59),
    ("hours", 0, 23),
    ("days", 1, 31),
    ("weekdays", 0, 6),
    ("months", 1, 12),
)


def _members(name: str, value: Every, low: int, high: int) -> Sequence[int]:
    """The matching numbers in order; raises InvalidSchedule naming the value that is out of range."""
    if value is None or value == "*":
        return range(low, high + 1)
    members = sorted({value} if isinstance(value, int) else value)
    wrong = [one for one in members if not isinstance(one, int) or not low <= one <= high]
    if wrong or not members:
        raise InvalidSchedule(f"{name}={value!r}: it takes numbers from {low} to {high}")
    return members


def instant_of(local: datetime, zone: tzinfo) -> float:
    """The instant of a naive local time: the first of two, or the first valid one after a gap."""
    early = local.replace(tzinfo=zone, fold=0).timestamp()
    if datetime.fromtimestamp(early, zone).replace(tzinfo=None) == local:
        return early
    return _end_of_gap(local.replace(tzinfo=zone, fold=1).timestamp(), early, zone)


def _end_of_gap(before: float, after: float, zone: tzinfo) -> float:
    """The instant between these two at which the zone's offset changes, to the second."""
    offset = datetime.fromtimestamp(after, zone).utcoffset()
    low, high = int(min(before, after)), int(max(before, after))
    while low < high:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle + 1
    return float(low)


@dataclass(frozen=True)
class ScheduleEntry:
    """One task put again and again. `data` is already encoded; `result_ttl`: seconds its finished task is kept."""

    key: str
    schedule: Schedule
    group: str
    name: str
    data: bytes
    result_ttl: float | None = None

    def __post_init__(self) -> None:
        """Refuse an entry that could put no task."""
        if not self.key:
            raise InvalidSchedule("key='': an entry needs one, to be told from the others")
        check_group(self.group)
        check_name(self.name)


class ScheduleEntryDict(TypedDict):
    """A schedule entry whose data the Kit encodes."""

    key: str
    schedule: Schedule
    group: str
    name: str
    data: Any
    result_ttl: NotRequired[float | None]


ScheduleEntryCompat = ScheduleEntry | ScheduleEntryDict
ScheduleEntriesCompat = Sequence[ScheduleEntryCompat]
ScheduleEntriesCompatMapping = Mapping[str, ScheduleEntriesCompat]


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
    return ScheduleEntry(
        key=entry["key"],
        schedule=entry["schedule"],
        group=entry["group"],
        name=entry["name"],
        data=encode(entry["group"], entry["name"], entry["data"]),
        result_ttl=entry.get("result_ttl"),
    )


def local_zone() -> tzinfo:
    """The machine's zone."""
    return datetime.now(UTC).astimezone().tzinfo or UTC
