"""Around every change of every clock, every combination of policies fires exactly as a plain, slow oracle says."""

import itertools
import random
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskkitx import CronSchedule, RegularSchedule, ScheduleEntry
from taskkitx.backends.memory import MemoryBackend
from taskkitx.localtime import MachineZone
from taskkitx.task import Task
from taskkitx.testing import FakeClock
from taskkitx.worker.scheduling import Scheduler
from tests.unit import oracle

ZONES = sorted(available_timezones())
YEARS = range(2015, 2038)
SEED = 2037
HOUR = 3600
PARIS = ZoneInfo("Europe/Paris")

_stores = itertools.count()


class Pattern:
    """Sets of minutes and hours, as both kinds of schedules and as the oracle's predicate."""

    def __init__(self, minutes, hours):
        self.minutes, self.hours = minutes, hours

    def __repr__(self):
        return f"Pattern({self.minutes}, {self.hours})"

    def wanted(self, local):
        return (
            local.second == 0
            and local.minute in self.minutes
            and (self.hours is None or local.hour in self.hours)
        )

    def regular(self, zone):
        return RegularSchedule(minutes=self.minutes, hours=self.hours, tzinfo=zone)

    def cron(self, zone):
        return CronSchedule(f"{_field(self.minutes)} {_field(self.hours)} * * *", tz=zone)


def _field(numbers):
    return "*" if numbers is None else ",".join(map(str, sorted(numbers)))


def entry(schedule, **policies):
    return ScheduleEntry("key", schedule, "group", "name", b"", **policies)


def fired(entry, start, end):
    """The instants of the tasks a scheduler puts that looked at `start`, and then not before `end`."""
    clock = FakeClock(start)
    backend = MemoryBackend(f"memory://schedule-{next(_stores)}", clock=clock)
    Scheduler(backend, "s", [entry], PARIS)()
    clock.advance(end - start)
    Scheduler(backend, "s", [entry], PARIS)()
    tasks: list[Task] = backend.claim("wk", {"group": 100_000})
    return sorted(task.scheduled for task in tasks)


def walked(entry, start, end):
    points = []
    point = entry.next_after(start, PARIS)
    while point is not None and point <= end:
        points.append(point)
        point = entry.next_after(point, PARIS)
    return points


def assert_fires_as_the_oracle_says(make, pattern, zone, start, end, gap, fold, outages):
    made = entry(make(pattern, zone), gap=gap, fold=fold)
    expected = oracle.firings(pattern.wanted, zone, start, end, gap, fold)
    assert walked(made, start, end) == expected
    for missed, look_back, since, now in outages:
        between = [point for point in expected if since < point <= now]
        made = entry(make(pattern, zone), gap=gap, fold=fold, missed=missed, look_back=look_back)
        assert fired(made, since, now) == oracle.left_of(between, missed, now, look_back)


minutes = st.sets(st.integers(0, 59), min_size=1, max_size=5) | st.just(set(range(60)))
hours = st.none() | st.sets(st.integers(0, 23), min_size=1, max_size=8) | st.just({0, 1, 2, 3})


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    year=st.sampled_from(YEARS),
    which=st.integers(0, 5),
    pattern=st.builds(Pattern, minutes, hours),
    make=st.sampled_from([Pattern.regular, Pattern.cron]),
    gap=st.sampled_from(["shift", "skip"]),
    fold=st.sampled_from(["first", "both"]),
    missed=st.sampled_from(["latest", "earliest", "skip", "all(1)", "all(7)", "all(400)"]),
    look_back=st.sampled_from([None, 1800.0, 5 * HOUR]),
    ends=st.tuples(st.integers(-4 * HOUR, 4 * HOUR), st.integers(0, 5 * HOUR)),
)
def test_around_clock_changes(zone, year, which, pattern, make, gap, fold, missed, look_back, ends):
    changes = oracle.changes(zone, year)
    change = changes[which % len(changes)] if changes else int(datetime(year, 7, 1).timestamp())
    since = change + ends[0]
    assert_fires_as_the_oracle_says(
        *(make, pattern, zone, change - 4 * HOUR, change + 5 * HOUR, gap, fold),
        [
            (
                missed,
                look_back,
                max(since, change - 4 * HOUR),
                min(since + ends[1], change + 5 * HOUR),
            )
        ],
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_every_change_of_every_zone(soak):
    """All of them in full length; a seeded sample otherwise."""
    generator = random.Random(SEED)
    pairs = list(itertools.product(ZONES, YEARS))
    generator.shuffle(pairs)
    count = 0
    for name, year in pairs if soak else pairs[:80]:
        zone = ZoneInfo(name)
        for change in oracle.changes(zone, year):
            count += 1
            pattern = random_pattern(generator, zone, change)
            make = generator.choice([Pattern.regular, Pattern.cron])
            missed = generator.choice(["latest", "earliest", "skip", "all(3)", "all(99)"])
            for gap, fold in itertools.product(("shift", "skip"), ("first", "both")):
                assert_fires_as_the_oracle_says(
                    *(make, pattern, zone, change - 3 * HOUR, change + 3 * HOUR, gap, fold),
                    [(missed, None, change - 2 * HOUR, change + generator.randrange(2 * HOUR))],
                )
    print(f"{count} clock changes, seed {SEED}")
    assert count >= 40


def random_pattern(generator, zone, change):
    """One that wants something within the hours that are skipped or repeated, more often than not."""
    local = datetime.fromtimestamp(change, zone).hour
    near = {(local + generator.randrange(-3, 3)) % 24 for _ in range(3)}
    return Pattern(
        set(generator.sample(range(60), generator.choice([1, 2, 60]))),
        generator.choice([None, near, near]),
    )


# What the README says, in dates a person can check

SPRING = datetime(2026, 3, 29, 2, 30)
AUTUMN = datetime(2026, 10, 25, 2, 30)


def at(local, zone=PARIS, fold=0):
    return local.replace(tzinfo=zone, fold=fold).timestamp()


@pytest.mark.parametrize("line", ["30 2 * * *", "0 30 2 * * *"])
def test_half_past_two_in_paris(line):
    def points(start, **policies):
        midnight = start.replace(hour=0, minute=0)
        return walked(
            entry(CronSchedule(line, tz="Europe/Paris"), **policies),
            at(midnight),
            at(midnight) + 86400,
        )

    # In spring it never comes: the first valid instant is three o'clock
    assert points(SPRING) == [at(SPRING.replace(hour=3, minute=0))]
    assert points(SPRING, gap="skip") == []
    # In autumn it comes twice
    assert points(AUTUMN) == [at(AUTUMN)]
    assert points(AUTUMN, fold="both") == [at(AUTUMN), at(AUTUMN) + 3600]


def test_many_instants_in_a_gap_are_one_firing():
    every_second = entry(RegularSchedule("*", tzinfo=PARIS))

    before = at(SPRING.replace(hour=1, minute=59, second=58))

    assert walked(every_second, before, before + 4) == [
        before + 1,
        before + 2,
        before + 3,
        before + 4,
    ]


def test_the_machines_zone_has_its_clock_changes(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        ours = MachineZone()
        daily = entry(RegularSchedule(minutes=30, hours=2, tzinfo=ours), fold="both")
        named = entry(RegularSchedule(minutes=30, hours=2, tzinfo=PARIS), fold="both")
        year = at(datetime(2026, 1, 1))
        assert walked(daily, year, year + 370 * 86400) == walked(named, year, year + 370 * 86400)
        assert datetime.fromtimestamp(at(AUTUMN) + 3600, ours).fold == 1
        assert datetime.fromtimestamp(year, ours).tzname() == "CET"
    finally:
        monkeypatch.undo()
        time.tzset()
