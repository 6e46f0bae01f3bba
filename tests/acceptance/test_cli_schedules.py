"""What `taskkitx schedules` shows and does, on a store on which schedulers have run."""

import json
import sys
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from taskkitx import CronSchedule, RegularSchedule, ScheduleEntry
from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.cli import main
from taskkitx.testing import FakeClock
from taskkitx.worker.scheduling import Scheduler

NOON = datetime(2026, 10, 24, 12, tzinfo=UTC).timestamp()
APP = """
from datetime import timedelta, timezone
from taskkitx import CronSchedule, TaskHandler, make_kit

class Echo(TaskHandler):
    def handle(self, task): return task.data
    def get_retry_interval(self, task, exception): return None
    def encode_data(self, group, name, data): return repr(data).encode()
    def encode_result(self, task, result): return result
    def decode_result(self, task, encoded): return encoded

entry = {"key": "nightly", "schedule": CronSchedule("30 2 * * *"), "group": "mail", "name": "digest", "data": 5}
kit = make_kit(Echo(), schedule_entries={"main": [entry]}, tzinfo=timezone(timedelta(hours=9), "JST"))
"""


@pytest.fixture
def clock():
    return FakeClock(NOON)


@pytest.fixture
def backend(tmp_path, clock):
    backend = SqliteBackend(str(tmp_path / "tasks.db"), clock=clock)
    backend.open()
    yield backend
    backend.close()


@pytest.fixture
def run(sqlite_url, monkeypatch):
    monkeypatch.setenv("TASKKITX_URL", sqlite_url)

    def type_(*words):
        return CliRunner().invoke(main, ["schedules", *words], catch_exceptions=False)

    return type_


@pytest.fixture
def app(tmp_path, monkeypatch, run):
    """The import path of an application that no worker has run yet."""
    (tmp_path / "alarms.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "alarms", None)
    del sys.modules["alarms"]
    return "alarms:kit"


@pytest.fixture
def look(backend):
    """Let schedulers look that have just started."""
    paris = CronSchedule("30 2 * * *", tz="Europe/Paris")
    every_minute = RegularSchedule()

    def look(**policies):
        entries = {
            "main": [ScheduleEntry("nightly", paris, "mail", "digest", b"5", **policies)],
            "other": [
                ScheduleEntry("pulse", every_minute, "default", "pulse", b"", missed="all(5)")
            ],
        }
        for name, made in entries.items():
            Scheduler(backend, name, made, UTC)()

    return look


def listed(run, *words):
    return {
        one["key"]: one for one in json.loads(run("list", "--json", *words).stdout)["schedules"]
    }


def test_a_store_without_schedulers_has_none(run, backend):
    assert "none" in run("list").stdout
    assert listed(run) == {}


def test_list_shows_the_next_three_firings_in_the_zone_and_in_utc(run, look):
    look()

    nightly = listed(run)["nightly"]

    # Across the end of summer time
    assert [(one["local"], one["utc"]) for one in nightly["next"]] == [
        ("2026-10-25 02:30:00+02:00", "2026-10-25 00:30:00Z"),
        ("2026-10-26 02:30:00+01:00", "2026-10-26 01:30:00Z"),
        ("2026-10-27 02:30:00+01:00", "2026-10-27 01:30:00Z"),
    ]
    assert (nightly["zone"], nightly["last"], nightly["paused"]) == ("Europe/Paris", None, False)
    assert (nightly["scheduler"], nightly["group"], nightly["name"]) == ("main", "mail", "digest")
    assert nightly["policy"] == {
        "missed": "latest",
        "look_back": None,
        "overlap": "allow",
        "gap": "shift",
        "fold": "first",
    }
    shown = run("list").stdout
    for text in (
        "02:30:00+02:00",
        "00:30:00Z",
        "Europe/Paris",
        "30 2 * * *",
        "all(5)",
        "overlap allow",
    ):
        assert text in shown


def test_list_shows_the_last_firing(run, look, clock):
    look()
    clock.advance(125)
    look()

    pulse = listed(run)["pulse"]

    assert pulse["last"] == {"timestamp": NOON + 120, "utc": "2026-10-24 12:02:00Z"}
    assert pulse["next"][0]["timestamp"] == NOON + 180


def test_list_with_an_application_shows_entries_that_never_ran(run, backend, app):
    nightly = listed(run, "--app", app)["nightly"]

    assert [one["local"][10:] for one in nightly["next"]] == [" 02:30:00+09:00"] * 3
    assert (nightly["zone"], nightly["served"]) == ("JST", False)


def test_a_paused_entry_does_not_fire_until_resumed(run, look, clock, backend):
    look()

    assert run("pause", "pulse").stdout == "paused: pulse of other\n"
    assert listed(run)["pulse"]["paused"] is True
    assert "paused" in run("list").stdout
    clock.advance(600)
    look()
    assert backend.claim("wk", {"default": 5}) == []

    assert run("resume", "pulse").stdout == "resumed: pulse of other\n"
    assert listed(run)["pulse"]["paused"] is False
    look()
    assert backend.claim("wk", {"default": 5}) == []
    clock.advance(60)
    look()
    assert [task.scheduled for task in backend.claim("wk", {"default": 5})] == [NOON + 660]


def test_an_entry_can_be_paused_before_it_ever_ran(run, backend, app):
    assert run("pause", "nightly", "--app", app).exit_code == 0

    nightly = listed(run, "--app", app)["nightly"]
    assert (nightly["paused"], nightly["last"]) == (True, None)


def test_trigger_puts_the_task_now(run, look, backend):
    look()

    put = run("trigger", "nightly")

    (task,) = backend.claim("wk", {"mail": 5})
    assert put.stdout == f"{task.id}\n"
    assert (task.name, task.data, task.scheduled) == ("digest", b"5", None)
    assert listed(run)["nightly"]["last"] is None


def test_trigger_respects_the_overlap_policy(run, look, backend):
    look(overlap="skip")
    first = run("trigger", "nightly").stdout.strip()

    refused = run("trigger", "nightly")

    assert refused.exit_code == 1
    assert first in refused.stderr


def test_a_key_that_is_unknown_or_in_several_schedulers_is_refused(run, look, backend):
    look()
    pulse = ScheduleEntry("pulse", RegularSchedule(), "default", "pulse", b"")
    Scheduler(backend, "third", [pulse], UTC)()

    unknown, several = run("trigger", "nightyl"), run("pause", "pulse")

    assert (unknown.exit_code, several.exit_code) == (1, 1)
    assert "'nightyl'" in unknown.stderr
    assert "nightly of main" in unknown.stderr
    assert "other, third" in several.stderr
    assert run("pause", "pulse", "--scheduler", "third").exit_code == 0
    assert listed(run)["nightly"]["paused"] is False


def test_a_removed_entry_is_not_listed(run, look, backend):
    look()
    Scheduler(backend, "main", [], UTC)()

    assert set(listed(run)) == {"pulse"}
