"""Schedules that could never be what was meant are refused when they are made, naming field and value."""

import itertools
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from taskkitx import CronSchedule, IntervalSchedule, RegularSchedule, ScheduleEntry
from taskkitx.cron import ALIASES
from taskkitx.errors import ConfigurationError, InvalidSchedule
from taskkitx.schedule import as_entries

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


def upcoming(schedule, instant=NOON, count=3):
    points = []
    for _ in range(count):
        instant = schedule.next_after(instant, UTC)
        points.append(datetime.fromtimestamp(instant, UTC).isoformat(sep=" ")[:19])
    return points


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("*/5 * * * *", ["2026-06-01 12:05:00", "2026-06-01 12:10:00", "2026-06-01 12:15:00"]),
        ("30 * * * * *", ["2026-06-01 12:00:30", "2026-06-01 12:01:30", "2026-06-01 12:02:30"]),
        ("@daily", ["2026-06-02 00:00:00", "2026-06-03 00:00:00", "2026-06-04 00:00:00"]),
        ("@yearly", ["2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00"]),
        ("0 0 29 feb *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00"]),
        ("0 0 L * *", ["2026-06-30 00:00:00", "2026-07-31 00:00:00", "2026-08-31 00:00:00"]),
        ("0 9 * * mon#1", ["2026-07-06 09:00:00", "2026-08-03 09:00:00", "2026-09-07 09:00:00"]),
        ("0 0 1 * mon", ["2026-06-08 00:00:00", "2026-06-15 00:00:00", "2026-06-22 00:00:00"]),
        ("0 0 31 12 *", ["2026-12-31 00:00:00", "2027-12-31 00:00:00", "2028-12-31 00:00:00"]),
        ("  0  0 * * 7 ", ["2026-06-07 00:00:00", "2026-06-14 00:00:00", "2026-06-21 00:00:00"]),
    ],
)
def test_cron_lines(line, expected):
    assert upcoming(CronSchedule(line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        *(
            "",
            "*",
            "* * * *",
            "0 0 0 0 0 0 0",
            "61 * * * *",
            "* 24 * * *",
            "* * 32 * *",
            "* * * 13 *",
        ),
        *(
            "* * * * 8",
            "* * * foo *",
            "5-1-3 * * * *",
            "*/0 * * * *",
            "@sometimes",
            "@reboot",
            "@ daily",
        ),
        *("H * * * *", "R R * * *", "H(0-9)/3 * * * *", "0 0 0 * *", "a b c d e", "0 0 * * 1#6"),
        *("0 0 31 2 *", "0 0 30,31 2 *", "0 0 0 30 feb *", "0 0 31 4,6,9,11 *", "\u0660 * * * *"),
        *(None, 5, b"* * * * *", ["*"] * 5),
    ],
)
def test_a_wrong_cron_line_is_refused(line):
    with pytest.raises(InvalidSchedule) as refused:
        CronSchedule(line)

    assert f"line={line!r}" in str(refused.value)
    assert isinstance(refused.value, ConfigurationError)


def test_a_wrong_field_of_a_cron_line_is_named():
    with pytest.raises(InvalidSchedule, match="hour='24'"):
        CronSchedule("0 24 * * *")
    with pytest.raises(InvalidSchedule, match="second='60'"):
        CronSchedule("60 0 24 * * *")


def test_who_types_an_unknown_alias_is_told_the_known_ones():
    with pytest.raises(InvalidSchedule, match="@hourly, @daily"):
        CronSchedule("@fortnightly")


@pytest.mark.parametrize("alias", re.findall(r"@\w+", ALIASES))
def test_every_alias_that_people_are_told_of_is_one(alias):
    assert upcoming(CronSchedule(alias))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "Europe/Pari", 3])
@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("tz", lambda zone: CronSchedule("@daily", tz=zone)),
        ("tzinfo", lambda zone: RegularSchedule(tzinfo=zone)),
    ],
)
def test_an_unknown_zone_is_refused(field, make, zone):
    with pytest.raises(InvalidSchedule) as refused:
        make(zone)

    assert f"{field}={zone!r}" in str(refused.value)


def test_a_zone_that_was_mistyped_is_suggested():
    with pytest.raises(InvalidSchedule, match="'Europe/Paris'"):
        CronSchedule("@daily", tz="Europe/Pari")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("seconds", 60), ("seconds", -1), ("minutes", {0, 60}), ("hours", 24), ("days", 0)),
        *(("days", 32), ("weekdays", 7), ("months", {13}), ("months", 0), ("seconds", set())),
        *(("seconds", "5"), ("seconds", 1.5), ("seconds", {None}), ("minutes", True)),
    ],
)
def test_a_wrong_field_of_a_regular_schedule_is_refused(field, value):
    with pytest.raises(InvalidSchedule) as refused:
        RegularSchedule(**{field: value})

    assert f"{field}={value!r}" in str(refused.value)


@pytest.mark.parametrize(
    ("days", "months"), [(31, 2), (30, 2), ({30, 31}, {2}), (31, {4, 6, 9, 11})]
)
def test_a_date_that_never_comes_is_refused(days, months):
    with pytest.raises(InvalidSchedule) as refused:
        RegularSchedule(days=days, months=months)

    assert f"days={days!r}" in str(refused.value)
    assert f"months={months!r}" in str(refused.value)


def test_a_regular_schedule_as_taskkit_has_it():
    # Given taskkit's defaults, sets, '*' and None
    schedule = RegularSchedule({0, 17}, minutes="*", hours=None, weekdays={0, 4}, days=None)

    # Then fields are sets, any second is allowed, and calling it filters points
    assert schedule.seconds == {0, 17}
    assert schedule.minutes == set(range(60))
    assert schedule.get_timezone() is None
    monday = datetime(2026, 6, 1, 12, 0, 17, tzinfo=UTC)
    assert schedule([monday, monday + timedelta(seconds=1)], None) == [monday]
    assert upcoming(schedule) == [
        "2026-06-01 12:00:17",
        "2026-06-01 12:01:00",
        "2026-06-01 12:01:17",
    ]
    assert RegularSchedule().seconds == {0}
    assert hash(schedule) == hash(pickle.loads(pickle.dumps(schedule)))


def test_29_february_on_a_monday_comes_once_in_a_long_while():
    schedule = RegularSchedule(minutes=0, hours=0, days=29, months=2, weekdays=0)

    assert upcoming(schedule, count=2) == ["2044-02-29 00:00:00", "2072-02-29 00:00:00"]


@pytest.mark.parametrize(
    ("seconds", "anchor", "expected"),
    [
        (3600, None, ["2026-06-01 13:00:00", "2026-06-01 14:00:00", "2026-06-01 15:00:00"]),
        (90, NOON - 30, ["2026-06-01 12:01:00", "2026-06-01 12:02:30", "2026-06-01 12:04:00"]),
        (
            86400,
            datetime(2030, 1, 1, 8, tzinfo=timezone(timedelta(hours=2))),
            ["2026-06-02 06:00:00"],
        ),
    ],
)
def test_intervals_count_from_their_anchor(seconds, anchor, expected):
    assert upcoming(IntervalSchedule(seconds, anchor), count=len(expected)) == expected


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1 / 3, 0.7, 1, 7.7, 86400.1])
def test_intervals_are_strictly_later_each_time(seconds):
    schedule = IntervalSchedule(seconds)
    points: list[Any] = [NOON]
    for _ in range(1000):
        points.append(schedule.next_after(points[-1], UTC))

    steps = [after - before for before, after in itertools.pairwise(points[1:])]
    assert steps == pytest.approx([seconds] * 999, abs=1e-5)


@pytest.mark.parametrize(
    "fields",
    [
        *({"seconds": 0}, {"seconds": -1}, {"seconds": "5"}, {"seconds": float("inf")}),
        *({"seconds": float("nan")}, {"seconds": True}, {"seconds": 1, "anchor": "now"}),
        {"seconds": 1, "anchor": float("nan")},
    ],
)
def test_a_wrong_interval_is_refused(fields):
    name, value = list(fields.items())[-1]

    with pytest.raises(InvalidSchedule) as refused:
        IntervalSchedule(**fields)

    assert f"{name}={value!r}" in str(refused.value)


ENTRY: dict[str, Any] = {
    "key": "k",
    "schedule": RegularSchedule(),
    "group": "g",
    "name": "n",
    "data": b"",
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("key", ""),
            ("key", None),
            ("key", "a\nb"),
            ("key", "k" * 256),
            ("schedule", "* * * * *"),
        ),
        *(("schedule", None), ("missed", "newest"), ("missed", "all(0)"), ("missed", "all(-1)")),
        *(("missed", "all(10001)"), ("missed", 5), ("look_back", 0), ("look_back", -1)),
        *(("options", {"prioriti": 5}), ("options", {"delay": 1.0})),
        *(("look_back", "1h"), ("overlap", "queue"), ("gap", "both"), ("fold", "second")),
    ],
)
def test_a_wrong_entry_is_refused(field, value):
    with pytest.raises(InvalidSchedule) as refused:
        ScheduleEntry(**ENTRY | {field: value})

    assert f"{field}={value!r}" in str(refused.value)


def test_an_overlap_policy_needs_the_unique_key_for_itself():
    with pytest.raises(InvalidSchedule, match="unique_key"):
        ScheduleEntry(**ENTRY, overlap="skip", options={"unique_key": "mine"})


def test_entries_can_be_members_of_sets():
    assert len({ScheduleEntry(**ENTRY), ScheduleEntry(**ENTRY)}) == 1


def test_two_entries_with_one_key_are_refused():
    entries = [ScheduleEntry(**ENTRY), ScheduleEntry(**ENTRY | {"name": "other"})]

    with pytest.raises(InvalidSchedule, match="key='k'"):
        as_entries(entries, lambda group, name, data: data)


@pytest.mark.parametrize("entry", [{"key": "k"}, dict(ENTRY, gaps="skip")])
def test_a_dict_entry_that_lacks_a_field_or_has_an_unknown_one_is_refused(entry: Any):
    with pytest.raises(InvalidSchedule, match=r"'data', .*missing|'gaps' unknown"):
        as_entries([entry], lambda group, name, data: data)
