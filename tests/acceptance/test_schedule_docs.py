"""What docs/schedules.md shows runs as printed, and so does taskkit's own example."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from taskkitx.cli import main

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/schedules.md").read_text(), re.S)
PATIENCE = 30


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0][:30])
def test_a_block_prints_what_its_comments_say(block, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    exec(compile(block, "docs/schedules.md", "exec"), {"__name__": "clockwork"})

    said = [line[2:] for line in block.split("\n") if line.startswith("# ") and line[2].isalnum()]
    assert capsys.readouterr().out.splitlines() == [line for line in said if ":" in line]


def test_the_application_of_the_page_is_listed(tmp_path, monkeypatch):
    (tmp_path / "clockwork.py").write_text(BLOCKS[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    CliRunner().invoke(main, ["migrate", "--app", "clockwork:kit"], catch_exceptions=False)

    shown = CliRunner().invoke(main, ["schedules", "list", "--app", "clockwork:kit", "--json"])

    entries = json.loads(shown.stdout)["schedules"]
    assert {entry["key"] for entry in entries} == {"nightly-report", "refresh", "heartbeat"}
    assert {entry["zone"] for entry in entries} == {"Europe/Paris"}


# taskkit's README. Changed: the names of the package in the imports, `make_kit` for a store without a server; the
# method called on the class; and where it has '...' for the reader to fill in.
TASKKIT_README = """
import json
from typing import Any
from taskkitx import TaskHandler, Task, DiscardTask


class Handler(TaskHandler):
    def handle(self, task: Task) -> Any:
        if task.group == GROUP_NAME:
            if task.name == 'test3':
                data = json.loads(task.data)
                return data

        raise DiscardTask

    def get_retry_interval(self,
                           task: Task,
                           exception: Exception) -> float | None:
        return task.retry_count if task.retry_count < 10 else None

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        return json.dumps(data).encode()

    def encode_result(self, task: Task, result: Any) -> bytes:
        return json.dumps(result).encode()

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        return json.loads(encoded)


from taskkitx import make_kit

kit = make_kit(Handler())

GROUP_NAME = 'Any task group name'

from datetime import timezone, timedelta
from taskkitx import ScheduleEntry, ScheduleEntryDict, RegularSchedule, ScheduleEntriesCompatMapping

schedule_entries: ScheduleEntriesCompatMapping = {
    'scheduler_name': [
        ScheduleEntry(
            key='one',
            group=GROUP_NAME,
            name='test2',
            data=Handler().encode_data(GROUP_NAME, 'test2', 'SOME DATA'),
            schedule=RegularSchedule(
                seconds={0},
                minutes={0, 30},
            ),
        ),
        {
            'key': 'two',
            'group': GROUP_NAME,
            'name': 'test3',
            'data': 2,
            'schedule': RegularSchedule(seconds={0}, minutes={30}),
        }
    ],
    'another_scheduler': [
    ],
}

kit.start(
    num_processes=3,
    num_worker_threads_per_group={GROUP_NAME: 3},

    schedule_entries=schedule_entries,
    tzinfo=timezone(timedelta(hours=9), 'JST'))
"""


def test_taskkits_schedule_example_runs_with_its_imports_changed(tmp_path, sqlite_url, monkeypatch):
    monkeypatch.setenv("TASKKITX_URL", sqlite_url)
    (tmp_path / "example.py").write_text(TASKKIT_README)
    tree = subprocess.Popen(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TASKKITX_LOG_FORMAT": "json"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tree.stderr is not None
    try:
        next(line for line in tree.stderr if '"supervisor_ready"' in line)
        entries = wait_for_entries()
        triggered = CliRunner().invoke(main, ["schedules", "trigger", "two"]).stdout.strip()
        waited = wait_for_result(sqlite_url, triggered)
    finally:
        tree.send_signal(signal.SIGTERM)
        tree.stderr.close()
        code = tree.wait(PATIENCE)

    # Then both entries are on the clock, in the zone that was given, and their tasks run
    one, two = entries
    assert {coming["local"][14:] for coming in one["next"]} == {"00:00+09:00", "30:00+09:00"}
    assert {coming["local"][14:] for coming in two["next"]} == {"30:00+09:00"}
    assert (one["zone"], two["zone"]) == ("JST", "JST")
    assert waited == 2
    assert code == 0


def wait_for_entries():
    """Schedulers write them down a moment after their worker is ready."""
    while True:
        shown = CliRunner().invoke(main, ["schedules", "list", "--json"], catch_exceptions=False)
        entries = json.loads(shown.stdout)["schedules"]
        if len(entries) == 2:
            return sorted(entries, key=lambda entry: entry["key"])


def wait_for_result(url, task_id):
    from taskkitx import Result
    from taskkitx.backends.connect import connect
    from tests.processes.ledger import Handler

    backend, _ = connect(url)
    try:
        return Result(backend, Handler(""), task_id).get(timeout=PATIENCE)
    finally:
        backend.close()
