"""Schedules written in Python: taskkit's sets of seconds, minutes, hours, days, weekdays and months, and intervals."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal, TypeGuard

from taskkitx import clock
from taskkitx.errors import InvalidSchedule
from taskkitx.localtime import SECOND, CalendarSchedule, zone_of
from taskkitx.schedule import ONLY_LATEST, DuplicationPolicy

Every = int | Set[int] | Literal["*"] | None
Zone = tzinfo
"""The type, where a field has its name."""

SHORTEST_INTERVAL = 0.1
LOOK_AHEAD_DAYS = 366 * 41
"""29 February falls on the same weekday again within forty years, even around a century without one."""


@dataclass(frozen=True, init=False, repr=False)
class RegularSchedule(CalendarSchedule):
    """Fires whenever seconds, minutes, hours, days, weekdays and months all match; None or '*' matches all.

    `weekdays`: Monday is 0. `tzinfo`: a tzinfo or a name of the tz database; None: the zone of the scheduler.
    Raises InvalidSchedule naming field and value, also for dates that never come, such as 31 February.
    """

    seconds: Set[int]
    minutes: Set[int]
    hours: Set[int]
    days: Set[int]
    weekdays: Set[int]
    months: Set[int]
    tzinfo: Zone | None
    duplication_policy: DuplicationPolicy

    def __init__(
        self,
        seconds: Every = 0,
        minutes: Every = None,
        hours: Every = None,
        days: Every = None,
        weekdays: Every = None,
        months: Every = None,
        tzinfo: Zone | str | None = None,
        duplication_policy: DuplicationPolicy = ONLY_LATEST,
    ) -> None:
        """Refuse what could never be meant."""
        given = (seconds, minutes, hours, days, weekdays, months)
        for (name, low, high), value in zip(_BOUNDS, given, strict=True):
            object.__setattr__(self, name, _members(name, value, low, high))
        object.__setattr__(self, "tzinfo", zone_of("tzinfo", tzinfo))
        object.__setattr__(self, "duplication_policy", duplication_policy)
        if min(self.days) > max(_longest(month) for month in self.months):
            raise InvalidSchedule(f"days={days!r} with months={months!r}: that date never comes")

    def __repr__(self) -> str:
        """What differs from matching all."""
        told = {
            name: set(getattr(self, name))
            for name, low, high in _BOUNDS
            if len(getattr(self, name)) <= high - low
        }
        zone = {} if self.tzinfo is None else {"tzinfo": str(self.tzinfo)}
        return f"RegularSchedule({', '.join(f'{k}={v!r}' for k, v in (told | zone).items())})"

    def get_timezone(self) -> Zone | None:
        """Its own zone, if it has one."""
        return self.tzinfo

    def __call__(self, points: list[datetime], last: datetime | None, /) -> list[datetime]:
        """Those of the points that match, as far as the duplication policy wants them."""
        return self.duplication_policy([p for p in points if self._has_time(p)], last)

    def next_local(self, after: datetime) -> datetime | None:
        """The first matching local time strictly after this one."""
        start = after.replace(microsecond=0) + SECOND
        if self._has_date(start):
            moment = self._time_from(start.time())
            if moment is not None:
                return datetime.combine(start, moment)
        for day in self._dates_after(start.date()):
            moment = self._time_from(time())
            assert moment is not None  # every set has a member
            return datetime.combine(day, moment)
        return None

    def _dates_after(self, day: date) -> Iterator[date]:
        last = day.toordinal() + LOOK_AHEAD_DAYS
        while day < date.max and day.toordinal() < last:
            day += timedelta(days=1)
            if day.month not in self.months:
                day = day.replace(day=_days_of(day.year, day.month))
            elif self._has_date(day):
                yield day

    def _time_from(self, start: time) -> time | None:
        """The first matching time of day not before this one."""
        for hour in sorted(h for h in self.hours if h >= start.hour):
            for minute in sorted(self.minutes):
                if (hour, minute) >= (start.hour, start.minute):
                    for second in sorted(self.seconds):
                        if (hour, minute, second) >= (start.hour, start.minute, start.second):
                            return time(hour, minute, second)
        return None

    def _has_date(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.weekday() in self.weekdays

    def _has_time(self, point: datetime) -> bool:
        return (
            self._has_date(point)
            and point.hour in self.hours
            and point.minute in self.minutes
            and point.second in self.seconds
        )


_BOUNDS = (
    ("seconds", 0, 59),
    ("minutes", 0, 59),
    ("hours", 0, 23),
    ("days", 1, 31),
    ("weekdays", 0, 6),
    ("months", 1, 12),
)


def _longest(month: int) -> int:
    return _days_of(2024, month)


def _days_of(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _members(name: str, value: Every, low: int, high: int) -> Set[int]:
    """The matching numbers; raises InvalidSchedule naming the value that is out of range."""
    if value is None or value == "*":
        return frozenset(range(low, high + 1))
    members: Sequence[object] = (
        list(value) if isinstance(value, Sequence | Set) and not isinstance(value, str) else [value]
    )
    numbers = [one for one in members if _is_number(one) and one in range(low, high + 1)]
    if len(numbers) != len(members) or not members:
        raise InvalidSchedule(f"{name}={value!r}: it takes numbers from {low} to {high}")
    return frozenset(map(int, numbers))


@dataclass(frozen=True)
class IntervalSchedule:
    """Fires at the anchor and every so many seconds before and after it, whatever clocks and zones do.

    `anchor`: UNIX seconds or a datetime (naive: local time); None: 1970-01-01 UTC, so that an hour's interval fires at
    full hours UTC. Raises InvalidSchedule for less than 0.1 seconds.
    """

    seconds: float
    anchor: datetime | float | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be meant."""
        if not _is_number(self.seconds) or not SHORTEST_INTERVAL <= self.seconds < float("inf"):
            raise InvalidSchedule(
                f"seconds={self.seconds!r}: it takes a number from {SHORTEST_INTERVAL}"
            )
        if not (self.anchor is None or isinstance(self.anchor, datetime)) and not (
            _is_number(self.anchor) and abs(self.anchor) < float("inf")
        ):
            raise InvalidSchedule(f"anchor={self.anchor!r}: it takes UNIX seconds or a datetime")

    def next_after(self, instant: float, zone: tzinfo) -> float | None:
        """The first instant strictly after this one."""
        anchor = 0.0 if self.anchor is None else clock.as_timestamp(self.anchor)
        count = (instant - anchor) // self.seconds
        # Rounding may leave us at the instant itself, or one too far.
        return next(
            point
            for point in (anchor + (count + more) * self.seconds for more in (0, 1, 2))
            if point > instant
        )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
