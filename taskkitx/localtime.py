"""From local times to instants: zones by name, and what becomes of local times that a clock change skips or repeats.

PEP 495 tells them apart: read with fold=0 and fold=1, a local time gives the same instant twice, two in order where it
comes twice, or two in reverse where it never comes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from taskkitx.errors import InvalidSchedule

Gap = Literal["shift", "skip"]
"""A local time that never comes: fires at the first valid instant after it, or not at all."""
Fold = Literal["first", "both"]
"""A local time that comes twice: fires the first time only, or both times."""

NextLocal = Callable[[datetime], datetime | None]
"""The first local time, naive and in whole seconds, strictly after another one."""

SECOND = timedelta(seconds=1)


def zone_of(field: str, value: Any) -> tzinfo | None:
    """The zone a field names: a name of the tz database or a tzinfo, None being none. Raises InvalidSchedule."""
    if hasattr(value, "localize") and getattr(value, "zone", None):
        value = value.zone  # pytz's zones do not work as a tzinfo should
    if value is None or isinstance(value, tzinfo):
        return value
    if not isinstance(value, str):
        raise InvalidSchedule(
            f"{field}={value!r}: it takes a tzinfo or a name such as 'Europe/Paris'"
        )
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise InvalidSchedule(
            f"{field}={value!r}: there is no such zone in the tz database{_similar(value)}"
        ) from None


def _similar(name: str) -> str:
    import difflib

    known = available_timezones()
    if not known:
        return ", because this machine has none: pip install tzdata"
    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


class MachineZone(tzinfo):
    """The machine's zone with its clock changes, which a fixed offset taken at the start would miss."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """As the system says."""
        if dt is None:
            return None
        local = dt.replace(tzinfo=None)
        return local.replace(fold=0) - datetime.fromtimestamp(local.timestamp(), UTC).replace(
            tzinfo=None
        )

    def dst(self, dt: datetime | None) -> timedelta | None:
        """The system does not tell."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """The abbreviation in use at that time."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        """The local time of an instant."""
        return datetime.fromtimestamp(dt.replace(tzinfo=UTC).timestamp()).replace(tzinfo=self)

    def __repr__(self) -> str:
        """For messages."""
        return "the machine's zone"


class CalendarSchedule(ABC):
    """A schedule in local time: clock changes may skip what it wants, or bring it twice."""

    @abstractmethod
    def get_timezone(self) -> tzinfo | None:
        """Its own zone; None: the scheduler's."""

    @abstractmethod
    def next_local(self, after: datetime) -> datetime | None:
        """The first local time, naive and in whole seconds, strictly after this one; None: never."""

    def next_after(
        self, instant: float, zone: tzinfo, gap: Gap = "shift", fold: Fold = "first"
    ) -> float | None:
        """The first instant strictly after this one; `zone` is used if it has none itself."""
        return next_instant(self.next_local, instant, self.get_timezone() or zone, gap, fold)


def next_instant(
    next_local: NextLocal, instant: float, zone: tzinfo, gap: Gap = "shift", fold: Fold = "first"
) -> float | None:
    """The first instant strictly after this one at which a wanted local time comes; None: never."""
    here = datetime.fromtimestamp(instant, zone)
    local = here.replace(tzinfo=None, microsecond=0, fold=0)
    repeated = _repeated(local, zone)
    if repeated is not None:
        start, end = repeated
        if fold == "both":
            point = _within_repeated(next_local, local, start, end, here.fold, zone)
            if point is not None:
                return point
        if fold == "both" or here.fold:
            local = end - SECOND  # everything before has had its turn
    return _first_time(next_local, local, zone, gap)


def _first_time(next_local: NextLocal, local: datetime, zone: tzinfo, gap: Gap) -> float | None:
    wanted = next_local(local)
    while wanted is not None:
        early, late = both_instants(wanted, zone)
        if early <= late:
            return early
        change = _change(late, early, zone)
        if gap == "shift":
            return change
        wanted = next_local(_local(change, zone) - SECOND)
    return None


def _within_repeated(
    next_local: NextLocal, local: datetime, start: datetime, end: datetime, turn: int, zone: tzinfo
) -> float | None:
    """The next one while the local times between start and end come for the first (turn 0) or second time."""
    wanted = next_local(local)
    if wanted is not None and wanted < end:
        return both_instants(wanted, zone)[turn]
    if turn:
        return None
    wanted = next_local(start - SECOND)
    return both_instants(wanted, zone)[1] if wanted is not None and wanted < end else None


def both_instants(local: datetime, zone: tzinfo) -> tuple[float, float]:
    """A naive local time read with fold 0 and with fold 1."""
    aware = local.replace(tzinfo=zone)
    return aware.replace(fold=0).timestamp(), aware.replace(fold=1).timestamp()


def _repeated(local: datetime, zone: tzinfo) -> tuple[datetime, datetime] | None:
    """From which local time on, and until before which, everything comes twice; None when this one does not."""
    early, late = both_instants(local, zone)
    if early >= late:
        return None
    change = _change(early, late, zone)
    return local + timedelta(seconds=change - late), local + timedelta(seconds=change - early)


def _change(before: float, after: float, zone: tzinfo) -> float:
    """The instant between these two at which the zone's offset changes, in whole seconds."""
    low, high = int(before), int(after)
    offset = datetime.fromtimestamp(high, zone).utcoffset()
    while low < high:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle + 1
    return float(low)


def _local(instant: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)
