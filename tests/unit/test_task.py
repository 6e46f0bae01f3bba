"""Tasks: how they are made, what they refuse, what taskkit's programs ask of them."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from taskkitx import clock
from taskkitx.errors import InvalidTask
from taskkitx.task import DEFAULT_TASK_TTL, Task, TaskState, UniqueUntil
from taskkitx.testing import FakeClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def fake(monkeypatch):
    fake = FakeClock(NOON.timestamp())
    monkeypatch.setattr(clock, "now", fake)
    return fake


def test_a_task_of_now_is_queued(fake):
    task = Task.init("mail", "send", b"data")

    assert (task.group, task.name, task.data) == ("mail", "send", b"data")
    assert (task.due, task.created, task.scheduled) == (fake(), fake(), None)
    assert (task.state, task.retry_count, task.ttl) == (TaskState.QUEUED, 0, DEFAULT_TASK_TTL)


@pytest.mark.parametrize(
    "due",
    [
        NOON + timedelta(hours=1),
        (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=9))),
        NOON.timestamp() + 3600,
        int(NOON.timestamp()) + 3600,
    ],
)
def test_a_task_with_a_due_time_is_scheduled(fake, due):
    task = Task.init("g", "n", b"", due=due)

    assert task.state is TaskState.SCHEDULED
    assert task.due == fake() + 3600
    assert isinstance(task.due, float)


def test_a_naive_datetime_is_local_time():
    naive = datetime(2026, 7, 1, 12, 0)

    task = Task.init("g", "n", b"", due=naive, scheduled=naive)

    assert task.due == task.scheduled == naive.timestamp()


@pytest.mark.parametrize("due", ["tomorrow", timedelta(1), 10**400, datetime.min])
def test_a_due_that_is_no_moment_is_refused(due):
    with pytest.raises(InvalidTask, match="a task's due"):
        Task.init("g", "n", b"", due=due)


def test_due_zero_is_a_time(fake):
    task = Task.init("g", "n", b"", due=0.0)

    assert (task.due, task.state) == (0.0, TaskState.SCHEDULED)


def test_a_delayed_task_is_scheduled(fake):
    task = Task.init("g", "n", b"", delay=5.0)

    assert (task.state, task.delay) == (TaskState.SCHEDULED, 5.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("due", float("nan")),
        ("due", float("inf")),
        ("scheduled", float("nan")),
        ("ttl", float("nan")),
        ("ttl", float("inf")),
        ("ttl", -1.0),
        ("ttl", "60"),
        ("delay", float("nan")),
        ("delay", 10**400),
        ("timeout", -0.5),
        ("expires", -1.0),
        ("priority", 2**31),
        ("priority", -(2**31)),
        ("priority", 0.5),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(field, value):
    with pytest.raises(InvalidTask, match=f"{field} is .*not ") as refused:
        Task.init("g", "n", b"", **{field: value})

    assert repr(value) in str(refused.value)


def test_a_window_needs_its_length():
    with pytest.raises(InvalidTask, match="unique_for"):
        Task.init("g", "n", b"", unique_key="k", unique_until=UniqueUntil.WINDOW)


@pytest.mark.parametrize("options", [{"ttl": 0}, {"delay": -5.0}, {"timeout": 0.5}, {"expires": 0}])
def test_numbers_at_the_edge_are_taken(options):
    task = Task.init("g", "n", b"", **options)

    assert options.items() <= task.to_dict().items()


@pytest.mark.parametrize("headers", [{"tenant": 5}, {5: "tenant"}])
def test_headers_are_texts(headers):
    with pytest.raises(InvalidTask, match=r"header .* str"):
        Task.init("g", "n", b"", headers=headers)


def test_data_is_bytes():
    with pytest.raises(InvalidTask, match="bytes, not str"):
        Task.init("g", "n", "text")  # type: ignore[arg-type]


def test_group_and_name_are_checked():
    with pytest.raises(InvalidTask, match="group"):
        Task.init("", "n", b"")
    with pytest.raises(InvalidTask, match="name"):
        Task.init("g", "", b"")


def test_an_unknown_option_is_an_error():
    with pytest.raises(TypeError, match="colour"):
        Task.init("g", "n", b"", colour="red")


def test_a_task_does_not_change():
    task = Task.init("g", "n", b"")

    with pytest.raises(FrozenInstanceError):
        task.name = "other"  # type: ignore[misc]


def test_times_as_datetimes():
    zone = ZoneInfo("Asia/Tokyo")
    task = Task.init("g", "n", b"", due=NOON, scheduled=NOON)

    assert task.due_dt(zone) == NOON
    assert task.due_dt(zone).utcoffset() == timedelta(hours=9)
    assert task.scheduled_dt(zone) == task.scheduled_dt() == NOON
    assert task.created_dt().tzinfo is not None
    assert Task.init("g", "n", b"").scheduled_dt() is None


def test_clone_for_retry(fake):
    task = Task.init("g", "n", b"data")
    fake.advance(10.0)

    clone = task.clone_for_retry(5.0)

    assert (clone.id, clone.data, clone.retry_count) == (task.id, b"data", 1)
    assert (clone.due, clone.created) == (task.due + 15.0, task.created)


def test_tasks_and_ids_by_group():
    tasks = [Task.init(group, "n", b"") for group in ("b", "a_b", "b")]

    by_group = Task.group_tasks(*tasks)
    ids_by_group = Task.group_task_ids(*(task.id for task in tasks))

    assert by_group == {"b": [tasks[0], tasks[2]], "a_b": [tasks[1]]}
    assert ids_by_group == {"b": [tasks[0].id, tasks[2].id], "a_b": [tasks[1].id]}
    assert Task.get_group_from_id(Task.make_id("a_b")) == "a_b"


def test_to_dict_has_every_field():
    task = Task.init("g", "n", b"", headers={"a": "b"})

    assert Task(**task.to_dict()) == task


def test_states():
    finished = {state.name for state in TaskState if state.finished}

    assert finished == {"SUCCEEDED", "FAILED", "CANCELLED", "DISCARDED", "EXPIRED"}
    assert TaskState.SOLO.label == "solo"
