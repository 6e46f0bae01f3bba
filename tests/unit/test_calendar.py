"""Leap days, month ends, weekday sets and turns of the year: both kinds of schedules against a walk through days."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskkitx import CronSchedule, RegularSchedule

SPAN = timedelta(days=366 * 9)


def field(numbers):
    return "*" if numbers is None else ",".join(map(str, sorted(numbers)))


def days_between(start, end, wanted):
    day = start.replace(hour=0, minute=0, second=0) - timedelta(days=1)
    while (day := day + timedelta(days=1)) <= end:
        if wanted(day):
            yield day


def assert_next_ones(schedule, start, expected):
    instant = start.timestamp()
    for point in expected[:40]:
        instant = schedule.next_after(instant, UTC)
        assert instant is not None
        assert datetime.fromtimestamp(instant, UTC) == point


def some(low, high):
    return st.none() | st.sets(st.integers(low, high), min_size=1, max_size=3)


starts = st.datetimes(datetime(2015, 1, 1), datetime(2037, 1, 1)).map(
    lambda local: local.replace(tzinfo=UTC, microsecond=0)
)
dates = st.tuples(
    some(1, 31) | st.just({29}) | st.just({30, 31}),
    some(1, 12) | st.just({2}) | st.just({12, 1}),
    some(0, 6),
).filter(lambda given: may_come(given[0], given[1]))


def may_come(days, months):
    longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
    return any(min(days or {1}) <= longest.get(month, 31) for month in months or {1})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(start=starts, given_=dates, hour=st.integers(0, 23), second=st.integers(0, 59))
def test_regular_schedules_match_all_fields(start, given_, hour, second):
    days, months, weekdays = given_
    schedule = RegularSchedule(
        second, minutes=59, hours=hour, days=days, months=months, weekdays=weekdays
    )

    def wanted(day):
        return (
            (days is None or day.day in days)
            and (months is None or day.month in months)
            and (weekdays is None or day.weekday() in weekdays)
        )

    points = [
        point
        for day in days_between(start, start + SPAN, wanted)
        if (point := day.replace(hour=hour, minute=59, second=second)) > start
    ]
    assert_next_ones(schedule, start, points)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(start=starts, given_=dates, hour=st.integers(0, 23), second=st.integers(0, 59))
def test_cron_lines_match_either_day(start, given_, hour, second):
    days, months, weekdays = given_
    schedule = CronSchedule(f"{second} 59 {hour} {field(days)} {field(months)} {field(weekdays)}")

    def wanted(day):
        by_day = days is not None and day.day in days
        by_weekday = weekdays is not None and day.isoweekday() % 7 in weekdays
        either = by_day or by_weekday or (days is None and weekdays is None)
        return (months is None or day.month in months) and either

    points = [
        point
        for day in days_between(start, start + SPAN, wanted)
        if (point := day.replace(hour=hour, minute=59, second=second)) > start
    ]
    assert_next_ones(schedule, start, points)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (RegularSchedule(minutes=0, hours=0, days=29, months=2), ["2096-02-29", "2104-02-29"]),
        (CronSchedule("0 0 29 2 *"), ["2096-02-29", "2104-02-29"]),
        (RegularSchedule(minutes=0, hours=0, days=31), ["2095-03-31", "2095-05-31", "2095-07-31"]),
        (RegularSchedule(minutes=0, hours=0, days=1, months=1), ["2096-01-01", "2097-01-01"]),
        (CronSchedule("@yearly"), ["2096-01-01", "2097-01-01"]),
    ],
)
def test_around_a_century_without_a_leap_day(schedule, expected):
    start = datetime(2095, 3, 1, tzinfo=UTC)

    assert_next_ones(
        schedule, start, [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in expected]
    )
