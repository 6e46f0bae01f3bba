"""What a person types, and what it answers: on a SQLite file with tasks in every state, without any worker."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner

from taskkitx.backends.connect import connect
from taskkitx.backends.sql.events import events_after, last_event
from taskkitx.cli import main
from taskkitx.cli.status import group_rows
from taskkitx.cli.store import without_password
from taskkitx.outcome import Failed, Fault, Succeeded
from taskkitx.record import WorkerRecord
from taskkitx.task import Task, TaskState


@pytest.fixture
def backend(sqlite_url):
    backend, _ = connect(sqlite_url)
    backend.open()
    yield backend
    backend.close()


@pytest.fixture
def run(sqlite_url, monkeypatch):
    """Types a command, with the store in TASKKITX_URL."""
    monkeypatch.setenv("TASKKITX_URL", sqlite_url)

    def type_(*words):
        return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)

    return type_


def put(backend, group="default", name="toy", data=b'{"a": 1}', **options):
    return backend.put([Task.init(group, name, data, **options)])[0].id


def failed(backend, message="it broke"):
    """The id of a task that has failed with this message."""
    task_id = put(backend, group="broken")
    backend.register(WorkerRecord("wk_1"), 60)
    (claim,) = backend.claim("wk_1", {"broken": 1})
    fault = Fault("ValueError", message, "Traceback: here")
    assert backend.finish("wk_1", [Failed(claim, fault)]) == {task_id}
    return task_id


def state_of(backend, task_id):
    return backend.get_many([task_id])[task_id].state


# Reading


def test_status_shows_what_waits_and_what_every_thread_runs(run, backend):
    # Given tasks of two groups, and a worker whose keeper reported
    put(backend)
    put(backend, delay=1000.0)
    failed(backend)
    running = {"thread": 3, "id": "default_x", "name": "[bold]odd", "attempt": 2, "seconds": 61.0}
    info = {
        "groups": {"default": 8},
        "rate": 12.5,
        "threads": 8,
        "running": [running],
        "recycled": {"leaks": 17},
    }
    backend.register(WorkerRecord("wk_2", host="h1", pid=4711), 60)
    backend.renew({"wk_2": info}, 60)

    # When a person and a program look
    shown = run("status")
    status = json.loads(run("status", "--json").stdout)

    # Then both see it, markup in names being only text
    assert shown.exit_code == 0
    for word in ("default", "broken", "4711", "[bold]odd", "default_x", "1m1s", "12.5/s"):
        assert word in shown.stdout
    assert re.search(r"Recycled\s+task name\s+times\s+leaks\s+17", shown.stdout)
    groups = {row["group"]: row for row in status["groups"]}
    assert groups["default"]["counts"]["queued"] == 1
    assert groups["default"]["counts"]["scheduled"] == 1
    assert groups["default"]["rate"] == 12.5
    assert groups["default"]["paused"] is False
    assert groups["broken"]["counts"]["failed"] == 1
    worker = next(worker for worker in status["workers"] if worker["id"] == "wk_2")
    assert worker["pid"] == 4711
    assert worker["running"] == [running]


def test_the_rate_of_a_worker_with_two_groups_is_only_a_bound_for_each():
    workers = [
        {"groups": {"a": 1}, "rate": 1.0},
        {"groups": {"a": 1, "b": 2}, "rate": 2.0},
    ]

    rows = {row["group"]: row for row in group_rows([], workers)}

    assert (rows["a"]["rate"], rows["a"]["rate_exact"]) == (3.0, False)
    assert (rows["b"]["rate"], rows["b"]["rate_exact"]) == (2.0, False)


def test_tasks_list_chooses_and_pages(run, backend):
    mail = [put(backend, group="mail", name="send") for _ in range(3)]
    other = put(backend)
    broken = failed(backend)

    def ids(*words):
        answer = run("tasks", "list", "--json", *words)
        assert answer.exit_code == 0
        return [task["id"] for task in json.loads(answer.stdout)]

    assert set(ids()) == {*mail, other, broken}
    assert ids("--group", "mail", "--limit", 2) == mail[:0:-1]
    assert ids("--group", "mail", "--after", mail[1]) == [mail[0]]
    assert ids("--name", "send", "--state", "failed") == []
    assert ids("--state", "failed", "--state", "succeeded") == [broken]
    table = run("tasks", "list", "--limit", 2).stdout
    assert "more: --after" in table


def test_a_task_is_shown_with_its_attempts_and_without_driving_the_terminal(run, backend):
    task_id = failed(backend, "no \x1b[31m colour")

    shown = run("tasks", "show", task_id).stdout
    described = json.loads(run("tasks", "show", task_id, "--json").stdout)

    assert task_id in shown
    assert "ValueError" in shown
    assert "Traceback: here" in shown
    assert "\x1b" not in shown
    assert described["state"] == "failed"
    assert described["data"] == '{"a": 1}'
    assert [attempt["state"] for attempt in described["attempts"]] == ["failed"]


def test_bytes_that_are_no_text_are_shown_as_base64(run, backend):
    task_id = put(backend, data=b"\xff\x00")

    described = json.loads(run("tasks", "show", task_id, "--json").stdout)

    assert described["data_base64"] == "/wA="
    assert "data" not in described


# Deciding


def test_retry_queues_finished_tasks_again_and_names_those_it_left(run, backend):
    broken, waiting = failed(backend), put(backend)

    answer = run("tasks", "retry", broken, waiting, "default_unknown")

    assert state_of(backend, broken) is TaskState.QUEUED
    assert answer.exit_code == 1
    assert "queued again: 1 tasks" in answer.stdout
    assert f"{waiting}: not queued again, it is queued" in answer.stderr
    assert "default_unknown: no such task" in answer.stderr


def test_cancel_and_discard(run, backend):
    cancelled, discarded = put(backend), put(backend)

    first = run("tasks", "cancel", cancelled)
    second = run("tasks", "discard", discarded, discarded)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert state_of(backend, cancelled) is TaskState.CANCELLED
    assert backend.get_many([cancelled])[cancelled].cancelled_by
    assert backend.get_many([discarded]) == {}
    assert run("tasks", "cancel", cancelled).exit_code == 0  # it is what was wanted
    assert run("tasks", "discard", discarded).exit_code == 1


def test_pause_and_resume_reach_the_store_and_who_listens(run, backend):
    put(backend, group="mail")
    before = last_event(backend)

    assert run("pause", "mail").exit_code == 0
    assert [group.paused for group in backend.groups()] == [True]
    assert "paused" in run("status").stdout
    assert run("resume").exit_code == 0

    assert [group.paused for group in backend.groups()] == [False]
    events = [json.loads(event) for _, event in events_after(backend, before)]
    assert events == [
        {"name": "pause", "groups": ["mail"]},
        {"name": "resume", "groups": None},
    ]


def test_purge_deletes_what_is_over_and_nothing_else(run, backend):
    gone, kept = put(backend, ttl=0.0), put(backend, name="later")
    backend.register(WorkerRecord("wk_1"), 60)
    first, _ = sorted(backend.claim("wk_1", {"default": 2}), key=lambda task: task.id != gone)
    backend.finish("wk_1", [Succeeded(first, b"")])

    answer = run("purge")

    assert answer.stdout == "purged: 1 tasks\n"
    assert backend.get_many([gone, kept]).keys() == {kept}


def test_migrate_makes_the_file_and_prints_its_statements(run, sqlite_url, tmp_path):
    statements = run("migrate", "--sql")
    assert "CREATE TABLE taskkitx_task" in statements.stdout
    assert list(tmp_path.iterdir()) == []

    assert run("migrate").exit_code == 0
    assert run("status").exit_code == 0


def test_app_names_the_store_instead_of_a_url(run, backend, tmp_path, monkeypatch):
    task_id = put(backend)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "cli_shop.py").write_text(
        "from types import SimpleNamespace\n"
        "from taskkitx.backends.connect import connect\n"
        f"backend, bridge = connect({backend.url!r})\n"
        "kit = SimpleNamespace(backend=backend, bridge=bridge, handler=object())\n"
    )

    assert task_id in run("tasks", "list", "--app", "cli_shop:kit").stdout
    assert run("tasks", "list", "--app", "cli_shop:kit", "--url", "sqlite:///x").exit_code == 2


# Refusing


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("tasks", "list"),
        ("tasks", "show", "default_x"),
        ("tasks", "retry", "default_x"),
        ("pause",),
        ("purge",),
    ],
)
def test_a_missing_file_is_not_made(run, tmp_path, words):
    answer = run(*words)

    assert answer.exit_code == 78
    assert answer.stderr.startswith("taskkitx: there is no SQLite file")
    assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_somebody_else_is_left_alone(run, tmp_path):
    (tmp_path / "tasks.db").touch()

    answer = run("status")

    assert answer.exit_code == 78
    assert "holds no tasks of taskkitx" in answer.stderr
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


@pytest.mark.parametrize(
    ("version", "command", "says"),
    [
        ("z", "status", "newer"),
        ("z", "migrate", "newer"),
        ("0000", "status", "run `taskkitx migrate`"),
        ("0000", "migrate", "cannot be brought to"),
    ],
)
def test_a_file_of_another_version_is_refused(run, backend, version, command, says):
    backend.write(
        lambda s: s.change(
            "UPDATE taskkitx_version SET version_num = :version", {"version": version}
        )
    )
    backend.close()

    answer = run(command)

    assert answer.exit_code == 78
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_corrupted_file_is_refused(run, tmp_path):
    (tmp_path / "tasks.db").write_bytes(b"no database at all, but long enough to be read" * 50)

    answer = run("status")

    assert answer.exit_code == 78
    assert "is not a SQLite database" in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status", "--url", "nosuch://u:secret@h/x"), 78, "no store answers"),
        (("status", "--url", "memory://x"), 78, "inside one process"),
        (("status", "--url", "sqlite:////no/such/folder/x.db"), 78, "there is no SQLite file"),
        (("migrate", "--url", "sqlite:////no/such/folder/x.db"), 78, "there is no directory"),
        (("status", "--app", "no_such_app:kit"), 78, "no_such_app"),
        (("pause", "g" * 41), 1, "at most 40"),
        (("tasks", "list", "--state", "odd"), 2, "odd"),
        (("tasks", "retry"), 2, "ID"),
        (("tasks", "show", os.fsdecode(b"\xff")), 2, "not valid text"),
        (("worker", "--app", "x:y", "-t", "default"), 2, "GROUP=THREADS"),
        (("worker", "--app", "x:y", "-t", "a=1", "-t", "a=2"), 2, "twice"),
        (("worker", "--app", "x:y", "-t", "default=0"), 78, "at least 1"),
        (("worker", "--app", "x:y", "-t", "default=-2"), 78, "at least 1"),
        (("worker", "--app", "x:y", "-t", f"{'g' * 41}=1"), 78, "at most 40"),
        (("worker", "--app", "x:y", "--max-rss", "much"), 2, "200M"),
        (("worker", "--app", "x:y", "-p", "-1"), 78, "at least 1"),
        (("worker", "--app", "x:y", "--drain-timeout", "-1"), 78, "drain_timeout"),
        (("worker", "--app", "x:y", "--url", "nosuch://h"), 78, "no store answers"),
        (("worker", "--app", "x:y", "--url", "memory://h"), 78, "inside one process"),
        (("worker", "--app", "xy"), 78, "module:attribute"),
    ],
)
def test_bad_input_gives_one_clear_message(run, tmp_path, words, code, said):
    answer = run(*words)

    assert answer.exit_code == code
    assert said in answer.stderr
    assert "secret" not in answer.output
    assert "Traceback" not in answer.output
    if code != 2:
        assert answer.stderr.startswith("taskkitx: ")
        assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_passwords_are_not_shown():
    assert without_password("postgresql://u:p@w@h:1/db") == "postgresql://u:***@h:1/db"
    assert without_password("sqlite:///a@b:c.db") == "sqlite:///a@b:c.db"


def test_the_command_line_imports_only_what_it_needs_to_begin():
    code = (
        "import sys, taskkitx.cli;"
        "print(*({'rich', 'sqlalchemy', 'alembic', 'sqlite3', 'croniter'} & set(sys.modules)))"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert answer.stdout == "\n"
