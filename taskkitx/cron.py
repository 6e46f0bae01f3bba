"""Schedules written as cron lines. croniter knows the calendar; clock changes are ours."""

import copy
import re
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from taskkitx.errors import InvalidSchedule
from taskkitx.localtime import CalendarSchedule, zone_of

FIELD_NAMES = ("second", "minute", "hour", "day", "month", "weekday")
FIELDS = "minute hour day month weekday, or six with seconds first, or an alias such as @daily"
ALIASES = "@hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
_ANY_MOMENT = datetime(2024, 1, 1)
_DRAWN = re.compile(r"(^|[\s,])[hr]([\s,(/]|$)", re.IGNORECASE)
"""Fields that croniter would fill by hash or by chance: every process would see another schedule."""


@dataclass(frozen=True)
class CronSchedule(CalendarSchedule):
    """Fires when a cron line says: minute, hour, day of month, month, weekday, or six fields with seconds first.

    Names (`jan`, `mon`), ranges, steps, `L`, `mon#1` and aliases such as `@daily` are understood; when both days are
    restricted, either is enough. `tz`: a name of the tz database or a tzinfo; None: the scheduler's zone.
    Raises InvalidSchedule naming field and value, also for dates that never come, such as 31 February.
    """

    line: str
    tz: str | tzinfo | None = None
    _zone: tzinfo | None = field(init=False, repr=False, compare=False)
    _calendar: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could never be meant."""
        object.__setattr__(self, "_zone", zone_of("tz", self.tz))
        object.__setattr__(self, "_calendar", _parsed(self.line))
        if self.next_local(_ANY_MOMENT) is None:
            raise InvalidSchedule(f"line={self.line!r}: that date never comes")

    def get_timezone(self) -> tzinfo | None:
        """Its own zone, if it has one."""
        return self._zone

    def next_local(self, after: datetime) -> datetime | None:
        """The first matching local time strictly after this one."""
        from croniter import CroniterBadDateError

        # A copy, because it keeps where it is and several threads may ask.
        calendar = copy.copy(self._calendar)
        try:
            found: datetime = calendar.get_next(datetime, start_time=after)
        except CroniterBadDateError:
            return None
        return found


def _parsed(line: object) -> Any:
    """croniter's view of the line, which works on naive local times."""
    from croniter import croniter

    if not isinstance(line, str):
        raise InvalidSchedule(f"line={line!r}: it takes a string of fields: {FIELDS}")
    fields = line.split()
    if len(fields) not in (5, 6) and not (len(fields) == 1 and fields[0].startswith("@")):
        raise InvalidSchedule(f"line={line!r} has {len(fields)} fields; it takes {FIELDS}")
    if _DRAWN.search(line):
        raise InvalidSchedule(f"line={line!r}: fields left to chance (H, R) are not supported")
    try:
        return croniter(" ".join(fields), _ANY_MOMENT, second_at_beginning=len(fields) == 6)
    except ValueError as error:
        raise InvalidSchedule(
            f"line={line!r} is no cron line: {_unknown_alias(fields) or _wrong_field(fields) or error}"
        ) from None


def _unknown_alias(fields: list[str]) -> str | None:
    return f"the aliases are {ALIASES}" if fields[0].startswith("@") else None


def _wrong_field(fields: list[str]) -> str | None:
    """The first field that is wrong by itself, with its name."""
    from croniter import croniter

    names = FIELD_NAMES[-len(fields) :]
    for position, name in enumerate(names[: len(fields)]):
        alone = ["*"] * len(fields)
        alone[position] = fields[position]
        try:
            croniter.expand(" ".join(alone), second_at_beginning=len(fields) == 6)
        except ValueError:
            return f"{name}={fields[position]!r} is not among its values"
    return None
