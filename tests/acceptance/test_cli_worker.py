"""`taskkitx worker` as a process of its own: it works, it stops, and it says what will never work."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from taskkitx.backends.connect import connect
from taskkitx.cli import main
from taskkitx.task import Task, TaskState

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0

APP = """
from taskkitx import TaskHandler, make_kit

class Echo(TaskHandler):
    def handle(self, task): return task.data
    def get_retry_interval(self, task, exception): return None
    def encode_data(self, group, name, data): return data
    def encode_result(self, task, result): return result
    def decode_result(self, task, encoded): return encoded

kit = make_kit(Echo(){url})
"""


@pytest.fixture
def start(tmp_path):
    """Runs `taskkitx worker` with these words in a folder that holds `shop.py`."""
    started = []

    def run(*words, url="", **environ):
        (tmp_path / "shop.py").write_text(APP.format(url=url))
        process = subprocess.Popen(
            [sys.executable, "-m", "taskkitx.cli", "worker", "--lease-ttl", "3", *words],
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("TASKKITX_")},
                "PYTHONPATH": str(ROOT),
                "TASKKITX_RUN_DIR": str(tmp_path / "run"),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run_to_end(process):
    """Its exit code and everything it said."""
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def wait_finished(backend, task_id):
    deadline = time.monotonic() + PATIENCE
    with backend.watch(task_id) as watch:
        while not (record := backend.get_many([task_id])[task_id]).state.finished:
            if time.monotonic() > deadline:
                raise AssertionError(f"{task_id} is still {record.state.label}")
            watch.wait(1.0)
    return record


def wait_healthy():
    """What `taskkitx health` says once it exits with 0."""
    deadline = time.monotonic() + PATIENCE
    while (answer := CliRunner().invoke(main, ["health", "--json"])).exit_code:
        if time.monotonic() > deadline:
            raise AssertionError(f"never healthy: {answer.output}")
        time.sleep(0.02)  # a probe is asked, it does not call
    return json.loads(answer.stdout)


@pytest.mark.parametrize("given", ["option", "environment"])
def test_it_runs_tasks_and_ends_cleanly_when_told_to(
    start, sqlite_url, given, tmp_path, monkeypatch
):
    # Given a task, and workers for its group
    backend, _ = connect(sqlite_url)
    task_id = backend.put([Task.init("mail", "echo", b"hello")])[0].id
    words, environ = {
        "option": (["--url", sqlite_url], {}),
        "environment": ([], {"TASKKITX_URL": sqlite_url}),
    }[given]
    process = start(
        "--app", "shop:kit", "-p", "2", "-t", "default=2", "-t", "mail=1", *words, **environ
    )

    # When they have run it and are told to stop
    record = wait_finished(backend, task_id)
    backend.close()
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path / "run"))
    health = wait_healthy()
    process.send_signal(signal.SIGTERM)
    code, said = run_to_end(process)

    # Then the result is there, and the start was announced
    assert code == 0, said
    assert health["pid"] == process.pid
    assert CliRunner().invoke(main, ["health"]).exit_code == 1  # it is gone
    assert (record.state, record.result) == (TaskState.SUCCEEDED, b"hello")
    assert "default=2 mail=1" in said
    assert "2 (3 threads each)" in said
    assert sqlite_url in said


@pytest.mark.skipif(find_spec("watchfiles") is None, reason="needs watchfiles")
@pytest.mark.parametrize("words", [["--reload"], ["--reload-dir", "."]])
def test_code_that_changes_is_run_without_a_restart(start, sqlite_url, tmp_path, words):
    backend, _ = connect(sqlite_url)
    path = os.pathsep.join([str(ROOT), *sys.path])
    process = start("--app", "shop:kit", "--url", sqlite_url, *words, PYTHONPATH=path)
    assert run_one(backend) == b"hello"

    deadline = time.monotonic() + PATIENCE
    changed = APP.format(url="").replace("return task.data", 'return b"changed"')
    while run_one(backend) != b"changed":
        assert time.monotonic() < deadline
        # The watcher says nothing when it begins to watch, so the file changes until it is seen.
        (tmp_path / "shop.py").write_text(changed := changed + "# changed\n")
        time.sleep(0.2)

    backend.close()
    process.send_signal(signal.SIGTERM)
    assert run_to_end(process)[0] == 0


def run_one(backend):
    task_id = backend.put([Task.init("default", "echo", b"hello")])[0].id
    return wait_finished(backend, task_id).result


def test_a_probe_imports_neither_the_application_nor_a_store():
    """An orchestrator asks often, and kills a probe that takes long."""
    program = (
        "import sys\n"
        "from taskkitx.cli import main\n"
        "try: main(['health'])\n"
        "except SystemExit: print(*sys.modules)"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    heavy = {"sqlalchemy", "rich", "sqlite3", "taskkitx.backend", "taskkitx.log"}
    assert not heavy & set(answer.stdout.split())


def test_an_app_that_does_not_import_ends_the_start(start):
    code, said = run_to_end(start("--app", "no_such_shop:kit"))

    assert code == 78
    assert "cannot import the app 'no_such_shop:kit'" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("LEASE_TTL", "1"), ("POLL_INTERVAL", "-1"), ("DRAIN_TIMEOUT", "-1"), ("LOG_FORMAT", "-1")],
)
def test_a_setting_that_cannot_work_ends_the_start(start, name, value):
    code, said = run_to_end(start("--app", "shop:kit", **{f"TASKKITX_{name}": value}))

    assert code == 78
    assert name.lower() in said.lower()


def test_an_app_on_another_store_than_asked_for_ends_the_start(start, sqlite_url):
    code, said = run_to_end(
        start("--app", "shop:kit", "--url", sqlite_url, url=', "sqlite:///other.db"')
    )

    assert code == 78
    assert "other.db" in said
    assert "leave --url out" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////no/such/folder/x.db", "there is no directory"),
        ("memory://x", "inside one process"),
    ],
)
def test_a_store_that_can_never_work_ends_the_start(start, url, said):
    code, output = run_to_end(start("--app", "shop:kit", TASKKITX_URL=url))

    assert code == 78
    assert said in output


def test_a_corrupted_file_ends_the_start_and_is_left_as_it_is(start, sqlite_url, tmp_path):
    content = b"no database at all, but long enough to be read" * 50
    (tmp_path / "tasks.db").write_bytes(content)

    code, said = run_to_end(start("--app", "shop:kit", "--url", sqlite_url))

    assert code == 78
    assert "is not a SQLite database" in said
    assert (tmp_path / "tasks.db").read_bytes() == content
