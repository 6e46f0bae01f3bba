"""`taskkitx dead`, and what `status` and `check` say of names that nobody knows."""

import json
import threading

import pytest
from click.testing import CliRunner

from taskkitx import Queue, Settings, TaskState
from taskkitx.cli import main
from tests.app.conftest import working


@pytest.fixture
def queue(sqlite_url):
    queue = Queue(sqlite_url, settings=Settings(poll_interval=0.1))
    queue.backend.open()

    @queue.task(name="broken", max_retries=0)
    def broken(n):
        raise ValueError(f"no {n}\nreally")

    yield queue
    queue.backend.close()


@pytest.fixture
def letters(queue):
    """The ids of three dead letters."""
    results = queue.enqueue_many("broken", [(n,) for n in range(3)])
    with working(queue):
        while not all(result.state.finished for result in results):
            threading.Event().wait(0.01)
    return [result.id for result in results]


@pytest.fixture
def run(sqlite_url, monkeypatch):
    monkeypatch.setenv("TASKKITX_URL", sqlite_url)
    monkeypatch.setenv("COLUMNS", "240")

    def type_(line):
        return CliRunner().invoke(main, line.split(), catch_exceptions=False)

    return type_


def test_dead_letters_are_listed_in_pages(run, letters):
    first = run("dead list --limit 2")
    rest = run(f"dead list --limit 2 --after {letters[1]}")

    assert letters[2] in first.output
    assert "ValueError: no 2" in first.output
    assert letters[0] not in first.output
    assert f"--after {letters[1]}" in first.output
    assert letters[0] in rest.output
    assert [task["id"] for task in json.loads(run("dead list --json").output)] == letters[::-1]
    assert "none" in run("dead list --name other").output


def test_one_is_shown_with_its_attempts(run, letters):
    shown = json.loads(run(f"dead show {letters[0]} --json").output)

    assert [one["kind"] for one in shown["attempts"]] == ["ValueError"]
    assert "Traceback" in shown["attempts"][0]["trace"]


def test_letters_are_replayed_by_id(run, queue, letters):
    done = run(f"dead replay {letters[0]} {letters[1]}")

    assert (done.exit_code, done.output) == (0, "replayed: 2 tasks\n")
    assert queue.stats()["queued"] == 2
    assert queue.get_task(letters[0]).attempts


def test_what_is_no_dead_letter_is_named(run, queue, letters):
    waiting = queue.enqueue("broken", (1,), delay=3600).id

    done = run(f"dead replay {letters[0]} {waiting} default_none")

    assert done.exit_code == 1
    assert f"{waiting}: not replayed, it is scheduled" in done.output
    assert "default_none: no such task" in done.output
    assert "replayed: 1 tasks" in done.output


@pytest.mark.parametrize("how", ["--all", "--name broken", "--group default", "--older-than 0s"])
def test_letters_are_replayed_by_filter(run, queue, letters, how):
    assert run(f"dead replay {how}").output == "replayed: 3 tasks\n"
    assert queue.stats()["queued"] == 3


@pytest.mark.parametrize(("age", "purged"), [("0s", 3), ("1h", 0), ("7d", 0)])
def test_letters_are_purged_by_age(run, queue, letters, age, purged):
    assert run(f"dead purge --older-than {age}").output == f"purged: {purged} tasks\n"
    assert queue.stats()["failed"] == 3 - purged


@pytest.mark.parametrize(
    "line",
    [
        "dead replay",
        "dead replay default_1 --all",
        "dead replay --all --name broken",
        "dead purge",
        "dead purge --older-than soon",
        "dead purge --older-than -1h",
        "dead list --limit 0",
    ],
)
def test_wrong_usage(run, letters, line):
    assert run(line).exit_code == 2


@pytest.fixture
def parked(queue):
    """Two tasks whose name no worker knows."""
    results = [queue.enqueue("shop.new", group="default") for _ in range(2)]
    with working(queue):
        while any(result.state is not TaskState.PARKED for result in results):
            threading.Event().wait(0.01)
    return results


def test_status_shows_names_that_nobody_knows(run, parked):
    said = run("status").output
    told = json.loads(run("status --json").output)

    assert "shop.new" in said
    assert told["parked"] == [{"group": "default", "name": "shop.new", "count": 2}]


def test_check_names_what_the_application_does_not_know(run, parked, monkeypatch, tmp_path):
    (tmp_path / "shopapp.py").write_text(
        "from taskkitx import Queue\n"
        "queue = Queue()\n"
        "@queue.task(name='shop.old')\n"
        "def old(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    found = run("check --app shopapp:queue")

    assert found.exit_code == 1
    assert "knows no task 'shop.new' of the group 'default', of which 2 wait" in found.output
