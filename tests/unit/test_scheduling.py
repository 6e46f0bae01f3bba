"""What a scheduler puts when the clock goes on, stops, or steps; on a store that forgets nothing."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskkitx import IntervalSchedule, RegularSchedule, ScheduleEntry, TaskState
from taskkitx.backend import Backend
from taskkitx.backends.memory import MemoryBackend
from taskkitx.backends.redis.backend import RedisBackend
from taskkitx.backends.redis.server import server_at
from taskkitx.backends.sql.mysql import MySqlBackend
from taskkitx.backends.sql.postgres import PostgresBackend
from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.errors import InvalidSchedule, StoreRefused, StoreUnavailable
from taskkitx.outcome import Succeeded
from taskkitx.record import TaskFilter
from taskkitx.testing import FakeClock
from taskkitx.worker.scheduling import Scheduler, scheduler_services
from tests.stores import STORES, url_of

TEN = datetime(2026, 6, 1, 10, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
HOURLY = RegularSchedule(minutes=0)
EVERY_SECOND = RegularSchedule("*")

_stores = itertools.count()


@pytest.fixture
def clock():
    return FakeClock(TEN - 1)


on_every_store = pytest.mark.parametrize("backend", STORES, indirect=True)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request, clock):
    """An empty store, by this clock."""
    url = url_of(request.param, request)
    backend: Backend
    match request.param:
        case "memory":
            backend = MemoryBackend(url, clock=clock)
        case "sqlite":
            backend = SqliteBackend(url.removeprefix("sqlite:///"), clock=clock)
        case "postgresql":
            backend = PostgresBackend(url, clock=clock)
        case "mysql":
            backend = MySqlBackend(url, clock=clock)
        case _:
            backend = RedisBackend(server_at(url), clock=clock)
    yield backend
    backend.close()


def entry(schedule=HOURLY, key="key", **policies):
    return ScheduleEntry(key, schedule, "group", "name", b"data", **policies)


@pytest.fixture
def fired(backend, clock):
    """Let time pass, let a scheduler that has just started look; the instants of what it put, in minutes from ten."""

    def fired(*entries, later=0.0, scheduler="s"):
        clock.advance(later)
        Scheduler(backend, scheduler, entries, UTC)()
        found = [record.task for record in backend.list_tasks(TaskFilter(), limit=100_000)]
        new = [task for task in found if task.id not in seen]
        seen.update(task.id for task in new)
        return sorted((task.scheduled - TEN) / MINUTE for task in new)

    seen = set[str]()
    return fired


@on_every_store
def test_a_firing_is_a_task_due_at_its_instant(backend, clock):
    scheduler = Scheduler(backend, "s", [entry(result_ttl=5.0, options={"priority": 3})], UTC)
    scheduler()
    clock.advance(1.25)

    scheduler()

    (task,) = backend.claim("wk", {"group": 5})
    assert (task.name, task.data, task.ttl, task.priority) == ("name", b"data", 5.0, 3)
    assert (task.scheduled, task.due) == (TEN, TEN)
    assert task.scheduled_dt(UTC) == datetime(2026, 6, 1, 10, tzinfo=UTC)


def test_a_scheduler_says_when_it_wants_to_look_again(backend, clock):
    scheduler = Scheduler(backend, "s", [entry()], UTC)
    clock.advance(0.75)

    assert scheduler() == pytest.approx(0.25, abs=0.05)
    clock.advance(0.25)
    assert scheduler() == 1.0


def test_a_new_entry_never_fires_at_deploy(fired):
    assert fired(entry(), later=1 + 30 * MINUTE) == []
    assert fired(entry(), entry(EVERY_SECOND, "new"), later=10 * MINUTE) == []
    assert fired(entry(), entry(HOURLY, "new"), later=20 * MINUTE) == [60, 60]


@on_every_store
def test_one_firing_however_many_schedulers_look(backend, clock):
    schedulers = [
        Scheduler(backend, "s", [entry(EVERY_SECOND, missed="all(9)")], UTC) for _ in range(5)
    ]
    for _ in range(4):
        for scheduler in schedulers:
            scheduler()
        clock.advance(1)

    tasks = backend.claim("wk", {"group": 100})
    assert [task.scheduled for task in tasks] == [TEN, TEN + 1, TEN + 2]


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({}, [240]),
        ({"missed": "latest"}, [240]),
        ({"missed": "earliest"}, [60]),
        ({"missed": "all"}, [60, 120, 180, 240]),
        ({"missed": "all(2)"}, [180, 240]),
        ({"missed": "skip"}, []),
        ({"missed": "all", "look_back": 2.2 * HOUR}, [180, 240]),
        ({"missed": "earliest", "look_back": 2.2 * HOUR}, [180]),
        ({"missed": "latest", "look_back": 10 * MINUTE}, []),
    ],
)
def test_missed_instants(fired, policies, expected):
    assert fired(entry(**policies), later=1.0) == []

    assert fired(entry(**policies), later=4 * HOUR + 30 * MINUTE) == expected
    assert fired(entry(**policies), later=31 * MINUTE) == (
        [] if policies.get("missed") == "skip" else [300]
    )


def test_what_is_a_moment_late_is_not_missed(fired):
    assert fired(entry(missed="skip")) == []
    assert fired(entry(missed="skip"), later=1.0 + HOUR + 3) == [60]


@on_every_store
@pytest.mark.parametrize("missed", ["latest", "earliest", "all(1000)", "skip"])
def test_after_a_month_of_downtime_only_what_the_policy_wants_is_put(fired, missed):
    every_second = entry(EVERY_SECOND, missed=missed)
    assert fired(every_second) == []

    count = len(fired(every_second, later=30 * DAY + 0.5))

    assert count == (1000 if missed == "all(1000)" else 1)
    assert fired(every_second) == []


def test_taskkits_duplication_policies_see_local_times(fired):
    asked = []

    def odd_hours(points, last):
        asked.append((points, last))
        return [point for point in points if point.hour % 2]

    zone = timezone(timedelta(hours=9), "JST")
    schedule = RegularSchedule(minutes=0, tzinfo=zone, duplication_policy=odd_hours)
    assert fired(entry(schedule)) == []

    assert fired(entry(schedule), later=3.5 * HOUR) == [0, 120]
    assert fired(entry(schedule), later=HOUR) == [240]
    assert [point.hour for point in asked[0][0]] == [19, 20, 21, 22]
    assert asked[0][1] is None
    assert asked[1][1] == datetime(2026, 6, 1, 21, tzinfo=zone)


def test_changing_an_entry_keeps_its_history(fired):
    assert fired(entry(), later=1.0) == []
    assert fired(entry(), later=HOUR) == [60]

    # When the schedule is another one after an outage, then what it missed since the last look counts
    half_hourly = entry(RegularSchedule(minutes={0, 30}), missed="all")
    assert fired(half_hourly, later=1.75 * HOUR) == [90, 120, 150]


def test_an_edit_does_not_fire_what_lies_before_it(fired):
    # Given an entry at two o'clock, looked after all the time
    assert fired(entry(RegularSchedule(minutes=0, hours=12))) == []
    for hour in range(6):
        assert fired(entry(RegularSchedule(minutes=0, hours=12)), later=HOUR) == (
            [120] if hour == 2 else []
        )

    # When it becomes an entry at three o'clock later that day
    moved = entry(RegularSchedule(minutes=0, hours=13))

    # Then it fires tomorrow
    assert fired(moved, later=5.0) == []
    assert fired(moved, later=DAY) == [27 * 60]


@on_every_store
def test_removing_an_entry_forgets_it(fired):
    other = entry(key="other")
    assert fired(entry(), other, later=1.0) == []
    assert fired(other, later=10 * MINUTE) == []

    assert fired(entry(), other, later=2 * HOUR) == [120]


@on_every_store
def test_an_entry_that_only_some_schedulers_know_loses_nothing(backend, clock):
    """Two versions of an application, while one replaces the other."""
    old = Scheduler(backend, "s", [entry(EVERY_SECOND, "old")], UTC)
    new = Scheduler(backend, "s", [entry(EVERY_SECOND, "new")], UTC)
    for _ in range(100):
        new()
        old()
        clock.advance(1)

    tasks = backend.claim("wk", {"group": 1000})
    assert sorted(task.scheduled for task in tasks) == sorted([TEN + n for n in range(99)] * 2)


@on_every_store
def test_a_clock_set_back_fires_nothing_twice_and_goes_on_where_it_was(fired, clock):
    every_minute = entry(RegularSchedule(), missed="all")
    assert fired(every_minute) == []
    assert fired(every_minute, later=2 * HOUR + 1) == list(range(121))[-100:]

    assert fired(every_minute, later=-HOUR) == []
    assert fired(every_minute, later=30 * MINUTE) == []
    assert fired(every_minute, later=30 * MINUTE) == []
    assert fired(every_minute, later=2 * MINUTE) == [121, 122]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [("latest", [60]), ("earliest", [1]), ("all(3)", [58, 59, 60]), ("skip", [60])],
)
def test_a_clock_set_forward_is_an_outage_of_that_length(fired, missed, expected):
    every_minute = entry(RegularSchedule(), missed=missed)
    assert fired(every_minute) == []
    assert fired(every_minute, later=1) == [0]

    assert fired(every_minute, later=HOUR) == expected
    assert fired(every_minute, later=-HOUR) == []
    assert fired(every_minute, later=HOUR + MINUTE) == [61]


def test_a_clock_that_was_wrong_by_days_does_not_stop_entries_for_days(fired):
    assert fired(entry(), later=30 * DAY) == []

    assert fired(entry(), later=-30 * DAY) == []
    assert fired(entry(), later=HOUR) == [0]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    steps=st.lists(st.sampled_from([0.3, 1.0, 20.0, 61.0, 600.0, HOUR, -HOUR, -0.5]), max_size=25),
    fresh=st.booleans(),
    missed=st.sampled_from(["latest", "earliest", "skip", "all(3)", "all(10000)"]),
)
def test_whatever_the_clock_does_nothing_fires_twice_and_there_is_no_storm(steps, fresh, missed):
    clock = FakeClock(TEN)
    backend = MemoryBackend(f"memory://steps-{next(_stores)}", clock=clock)
    every_minute = entry(RegularSchedule(), missed=missed)
    scheduler = Scheduler(backend, "s", [every_minute], UTC)
    scheduler()
    highest = TEN
    instants: list[Any] = []
    for step in steps:
        clock.advance(step)
        highest = max(highest, clock())
        if fresh:
            scheduler = Scheduler(backend, "s", [every_minute], UTC)
        scheduler()
        due = [task.scheduled for task in backend.claim("wk", {"group": 100_000})]
        assert len(due) <= {"all(3)": 3, "all(10000)": 10_000}.get(missed, 1)
        instants += due

    assert instants == sorted(set(instants))
    if missed == "all(10000)":
        minutes = int((highest - TEN) // MINUTE)
        assert instants == [TEN + n * MINUTE for n in range(1, minutes + 1)]


def test_a_firing_whose_reply_was_lost_is_not_repeated(fired, backend, monkeypatch):
    def cut_off(*args):
        fire(*args)
        raise StoreUnavailable("the connection broke after the commit")

    assert fired(entry()) == []
    fire = backend.fire
    monkeypatch.setattr(backend, "fire", cut_off)
    with pytest.raises(StoreUnavailable):
        fired(entry(), later=HOUR)
    monkeypatch.setattr(backend, "fire", fire)

    assert fired(entry()) == [0]
    assert fired(entry(), later=HOUR) == [60]


@on_every_store
def test_overlap_skip_waits_for_the_end_of_the_task_before(fired, backend):
    made = entry(overlap="skip")
    assert fired(made) == []
    assert fired(made, later=HOUR) == [0]
    (first,) = backend.claim("wk", {"group": 5})

    assert fired(made, later=HOUR) == []
    backend.finish("wk", [Succeeded(first, b"")])
    assert fired(made, later=HOUR) == [120]


@on_every_store
def test_overlap_queue_one_lets_one_wait(fired, backend):
    made = entry(overlap="queue_one", missed="all")
    assert fired(made) == []
    assert fired(made, later=HOUR) == [0]
    assert fired(made, later=HOUR) == []
    backend.claim("wk", {"group": 5})

    assert fired(made, later=HOUR) == [120]
    assert fired(made, later=2 * HOUR) == []


@on_every_store
def test_overlap_of_one_entry_is_not_anothers(fired, backend):
    entries = [entry(key=key, overlap="skip") for key in ("a", "b")]
    fired(*entries)
    fired(*entries, scheduler="other")

    assert fired(*entries, later=HOUR) == [0, 0]
    assert fired(*entries, scheduler="other") == [0, 0]


class OurForm:
    """Fires at instants of a list."""

    def __init__(self, *instants):
        self.instants = instants

    def next_after(self, instant, zone):
        return next((one for one in self.instants if one > instant), None)


class TaskkitForm:
    """Fires at every quarter of a minute."""

    def get_timezone(self):
        return None

    def __call__(self, points, last):
        return [point for point in points if point.second % 15 == 0]


def test_schedules_of_the_applications_own(fired):
    ours = entry(
        OurForm(TEN + MINUTE, TEN + 2 * MINUTE, TEN + 4 * MINUTE), missed="all", key="ours"
    )
    taskkits = entry(TaskkitForm(), key="taskkits")
    assert fired(ours, taskkits) == []

    assert fired(ours, taskkits, later=2 * MINUTE + 1) == [
        *(0, 0.25, 0.5, 0.75, 1, 1),
        1.25,
        1.5,
        1.75,
        2,
        2,
    ]
    assert fired(ours, taskkits, later=31) == [2.25, 2.5]
    assert fired(ours, later=HOUR) == [4]
    assert fired(ours, later=HOUR) == []


def test_an_entry_that_begins_to_fail_keeps_nobody_awake(backend, clock):
    ours = OurForm(TEN, TEN + HOUR)
    scheduler = Scheduler(backend, "s", [entry(ours)], UTC)
    scheduler()
    ours.instants = (TEN, None)
    clock.advance(1)

    assert scheduler() > 0.5


def test_an_instant_that_a_policy_does_not_want_is_offered_once(fired):
    offered = []

    def nothing(points, last):
        offered.extend(points)
        return []

    made = entry(RegularSchedule(minutes=0, duplication_policy=nothing))
    assert fired(made) == []
    assert fired(made, later=2) == []
    assert fired(made, later=2) == []

    assert len(offered) == 1


@pytest.mark.parametrize("answer", ["late", "nonsense", "raises"])
def test_a_broken_schedule_does_not_stop_the_others(fired, answer):
    class Broken:
        def next_after(self, instant, zone):
            return {"late": instant, "nonsense": float("nan")}[answer]

    broken = entry(Broken(), key="broken")
    assert fired(broken, entry()) == []

    assert fired(broken, entry(), later=HOUR) == [0]


class Handler:
    def encode_data(self, group, name, data):
        return repr((group, name, data)).encode()


def test_a_task_that_the_store_refuses_does_not_stop_the_others(fired, backend, monkeypatch):
    def picky(scheduler, expected, state, tasks):
        if any(task.name == "refused" for task in tasks):
            raise StoreRefused("no such letters here")
        return fire(scheduler, expected, state, tasks)

    fire = backend.fire
    monkeypatch.setattr(backend, "fire", picky)
    entries = [entry(key="a"), replace(entry(key="b"), name="refused"), entry(key="c")]
    assert fired(*entries) == []

    assert fired(*entries, later=2) == [0, 0]
    assert fired(*entries) == []
    assert fired(*entries, later=HOUR) == [60, 60]


def test_an_entry_of_a_scheduler_without_entries_is_forgotten(fired):
    assert fired(entry()) == []
    assert fired() == []

    assert fired(entry(), later=2 * HOUR) == []


def test_the_schedulers_zone_is_used_by_entries_without_one(backend, clock):
    handler: Any = Handler()
    zone = timezone(timedelta(hours=9), "JST")
    entries: Any = {
        "s": [
            {
                "key": "k",
                "schedule": RegularSchedule(minutes=0, hours=19),
                "group": "group",
                "name": "n",
                "data": 1,
            }
        ]
    }

    (service,) = scheduler_services(backend, handler, entries, zone).values()
    service()
    clock.advance(1)
    service()

    (task,) = backend.claim("wk", {"group": 5})
    assert (task.scheduled, task.data) == (TEN, b"('group', 'n', 1)")


def test_a_state_of_another_version_is_not_guessed_at(backend):
    backend.fire("s", None, b'{"version": 2}', [])

    with pytest.raises(StoreRefused, match="another version"):
        Scheduler(backend, "s", [entry()], UTC)()


@pytest.mark.parametrize("name", ["", "a\n", "\x1btaskkitx catalogue", 5])
def test_a_name_no_scheduler_can_have_is_refused(backend, name):
    with pytest.raises(InvalidSchedule, match="scheduler="):
        Scheduler(backend, name, [entry()], UTC)


def test_intervals(fired):
    every = entry(IntervalSchedule(90, anchor=TEN), missed="all")
    assert fired(every) == []
    assert fired(every, later=5 * MINUTE) == [0, 1.5, 3, 4.5]


def test_what_is_put_is_claimed_once(backend, clock):
    scheduler = Scheduler(backend, "s", [entry()], UTC)
    scheduler()
    clock.advance(1)
    scheduler()

    assert [task.state for task in backend.claim("wk", {"group": 5})] == [TaskState.RUNNING]
    assert backend.claim("wk", {"group": 5}) == []
