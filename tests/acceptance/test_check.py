"""`taskkitx check` says what would go wrong, with the options of the workers that are to come."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from taskkitx.backends.connect import connect
from taskkitx.task import Task

ROOT = Path(__file__).parents[2]

APP = """
from taskkitx import Limits, TaskHandler, make_kit

class Handler(TaskHandler):
    def handle(self, task): return task.data
    def knows(self, task): return task.name in self.known_names(task.group)
    def known_names(self, group): return {"echo", "long"}
    def get_limits(self, task): return Limits(timeout=60.0 if task.name == "long" else 5.0)
    def get_retry_interval(self, task, exception): return None
    def encode_data(self, group, name, data): return data
    def encode_result(self, task, result): return result
    def decode_result(self, task, encoded): return encoded

kit = make_kit(Handler())
"""


@pytest.fixture
def check(tmp_path, sqlite_url):
    """Types `taskkitx check --app shop:kit ...`; returns exit code, findings by what they are about, and all words."""
    (tmp_path / "shop.py").write_text(APP)

    def type_(*words, app="shop:kit", **environ):
        answer = subprocess.run(
            [sys.executable, "-m", "taskkitx.cli", "check", "--app", app, "--json", *words],
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("TASKKITX_")},
                "PYTHONPATH": str(ROOT),
                "TASKKITX_RUN_DIR": str(tmp_path / "run"),
                "TASKKITX_URL": sqlite_url,
                **environ,
            },
            capture_output=True,
            text=True,
        )
        found = json.loads(answer.stdout)["findings"] if answer.stdout else []
        return (
            answer.returncode,
            {finding["about"]: finding["text"] for finding in found},
            answer.stdout + answer.stderr,
        )

    return type_


@pytest.fixture
def backend(sqlite_url):
    backend, _ = connect(sqlite_url)
    backend.open()
    yield backend
    backend.close()


def test_where_nothing_is_wrong_nothing_is_said(check, backend):
    code, found, said = check("--drain-timeout", "90")

    assert (code, found) == (0, {}), said


def test_a_store_that_does_not_exist_yet_is_not_made(check, tmp_path):
    code, found, said = check("--drain-timeout", "90")

    assert (code, found) == (0, {}), said
    assert not (tmp_path / "tasks.db").exists()


def test_a_stop_that_would_kill_tasks_within_their_limits(check):
    code, found, _ = check("--drain-timeout", "10")

    assert code == 1
    assert "long (60 s)" in found["stop"]
    assert "echo" not in found["stop"]
    assert check("--drain-timeout", "0")[0] == 0  # that waits for ever


def test_tasks_that_nobody_knows_and_groups_that_nobody_serves(check, backend):
    backend.put([Task.init("default", "renamed", b""), Task.init("mail", "echo", b"")])
    backend.pause(["mail"])

    code, found, _ = check("--drain-timeout", "90")

    assert code == 1
    assert "'renamed'" in found["names"]
    assert "'mail'" in found["groups"]
    assert check("--drain-timeout", "90", "-t", "mail=1")[1]["groups"].count("paused") == 1


def test_a_directory_that_cannot_be_written(check, tmp_path):
    (tmp_path / "file").touch()

    code, found, _ = check("--drain-timeout", "90", TASKKITX_RUN_DIR=str(tmp_path / "file" / "run"))

    assert code == 1
    assert "TASKKITX_RUN_DIR" in found["directory"]


def test_more_threads_and_less_memory_than_there_is(check):
    code, found, _ = check("--drain-timeout", "90", "-p", "100", "-t", "a=1000", "--max-rss", "1M")

    assert code == 1
    assert "100000 threads" in found["pools"]
    assert "max_rss is 1 MiB" in found["memory"]


def test_clocks_that_differ(check, tmp_path):
    (tmp_path / "late.py").write_text(
        "from shop import kit\nfrom taskkitx import clock\nimport time\n"
        "kit.backend._clock = lambda: time.time() - 60\nkit.backend.open()\n"
    )

    code, found, _ = check("--drain-timeout", "90", app="late:kit")

    assert code == 1
    assert "60." in found["clock"]


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        (["-p", "0"], {}, "number of processes is 0"),
        ([], {"TASKKITX_LEASE_TTL": "1"}, "lease_ttl is 1.0 s"),
        ([], {"TASKKITX_URL": "sqlite:////no/such/folder/x.db"}, "there is no directory"),
        ([], {"TASKKITX_URL": "memory://x"}, "inside one process"),
        (["--app", "nonsense:kit"], {}, "cannot import the app 'nonsense:kit'"),
    ],
)
def test_what_could_not_even_start_ends_as_the_start_would(check, words, environ, said):
    code, _, words_said = check(*words, **environ)

    assert code == 78
    assert said in words_said


def test_a_network_file_system_is_refused(tmp_path, sqlite_url, monkeypatch):
    from click.testing import CliRunner

    from taskkitx.cli import main

    (tmp_path / "netshop.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TASKKITX_URL", sqlite_url)
    monkeypatch.setattr(
        "taskkitx.backends.sql.sqlite_file.file_system_of", lambda directory: "nfs4"
    )

    answer = CliRunner().invoke(main, ["check", "--app", "netshop:kit"])

    assert answer.exit_code == 78
    assert "network file system (nfs4)" in answer.output


def test_more_connections_than_the_server_allows(check, postgres_url):
    backend, _ = connect(postgres_url)
    backend.open()
    backend.close()
    many = f"{postgres_url}{'&' if '?' in postgres_url else '?'}pool=90"

    code, found, said = check("--drain-timeout", "90", "-p", "3", TASKKITX_URL=many)

    assert code == 1, said
    assert "5 processes may open 91 connections each" in found["pools"]
    assert check("--drain-timeout", "90", TASKKITX_URL=postgres_url)[0] == 0


def test_a_server_without_tables_is_left_without(check, postgres_url):
    code, found, said = check("--drain-timeout", "90", TASKKITX_URL=postgres_url)

    assert code == 1, said
    assert "taskkitx migrate" in found["store"]
