"""What schedules should do, written plainly and slowly: walk through every minute and look at the clock on the wall."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

Wanted = Callable[[datetime], bool]

MINUTE = 60
WALK = 3 * 3600
"""Since 2015 no clock change has moved a clock by more."""


def changes(zone: tzinfo, year: int) -> list[int]:
    """The instants of a year at which the zone's offset changes, to the minute."""

    def offset(instant: int) -> timedelta | None:
        return datetime.fromtimestamp(instant, zone).utcoffset()

    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
    return [
        minute
        for hour in range(start, end, 3600)
        if offset(hour) != offset(hour + 3600)
        for minute in range(hour + MINUTE, hour + 3601, MINUTE)
        if offset(minute - MINUTE) != offset(minute)
    ]


def firings(
    wanted: Wanted, zone: tzinfo, start: int, end: int, gap: str, fold: str, step: int = MINUTE
) -> list[int]:
    """The instants in (start, end] at which an entry fires."""
    instants = range(start - WALK, end + WALK, step)
    shown = [
        datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0) for instant in instants
    ]
    times: dict[datetime, list[int]] = {}
    for instant, local in zip(instants, shown, strict=True):
        times.setdefault(local, []).append(instant)
    fired = set[int]()
    local = shown[0]
    while local <= shown[-1]:
        if wanted(local):
            if local in times:
                fired |= set(times[local][:1] if fold == "first" else times[local])
            elif gap == "shift":
                fired.add(next(i for i, seen in zip(instants, shown, strict=True) if seen > local))
        local += timedelta(seconds=step)
    return sorted(instant for instant in fired if start < instant <= end)


def left_of(points: list[int], missed: str, now: int, look_back: float | None) -> list[int]:
    """What a policy leaves of the instants missed in an outage that ends now."""
    if look_back is not None:
        points = [point for point in points if point > now - look_back]
    if missed == "earliest":
        return points[:1]
    if missed == "skip":
        return [point for point in points if point > now - 5][-1:]
    limit = 1 if missed == "latest" else int(missed.removeprefix("all(").removesuffix(")"))
    return points[-limit:]
