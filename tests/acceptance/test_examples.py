"""What the README and the examples show runs as printed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment(**extra: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | extra


@pytest.mark.timeout(180)
def test_the_demo_counts_every_file_once_although_a_worker_is_killed():
    ran = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=170,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "kill -9" in ran.stdout
    assert "every file counted exactly once" in ran.stdout


def test_the_readme_program_prints_what_the_readme_says(tmp_path: Path):
    (program,) = re.findall(
        r"```python\n(# shop\.py.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    (tmp_path / "shop.py").write_text(program)
    command = [sys.executable, "-m", "taskkitx.cli", "worker", "--app", "shop:kit", "-p", "2"]
    tree = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL)
    try:
        ran = subprocess.run(
            [sys.executable, "shop.py"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        tree.send_signal(signal.SIGTERM)
        code = tree.wait(60)

    assert ran.stdout == "5\n", ran.stderr
    assert code == 0


TASKKIT_PROGRAM = """
import json, os, sys, threading
from datetime import datetime, timedelta
from taskkitx import DiscardTask, Failed, ResultGetTimedOut, RegularSchedule, Task, TaskHandler, make_kit

class Handler(TaskHandler):
    def handle(self, task: Task):
        if task.name == 'foo':
            return json.loads(task.data)
        if task.name == 'flaky':
            if task.retry_count < 2:
                raise ValueError('not yet')
            return task.retry_count
        raise DiscardTask

    def get_retry_interval(self, task, exception):
        return 0.01 if task.retry_count < 10 else None

    def encode_data(self, group, task_name, data):
        return json.dumps(data).encode()

    def encode_result(self, task, result):
        return json.dumps(result).encode()

    def decode_result(self, task, encoded):
        return json.loads(encoded)

kit = make_kit(Handler(), 'sqlite:///kit.db')
processes = kit.start_processes(num_processes=2, num_worker_threads_per_group={'g': 3}, daemon=True)
print(kit.initiate_task('g', 'foo', dict(some_data=1)).get(timeout=20))
print(kit.initiate_task('g', 'flaky', 0).get(timeout=20))
later = kit.initiate_task('g', 'foo', 2, due=datetime.now() + timedelta(seconds=60))
try:
    later.get(timeout=0.2)
except ResultGetTimedOut:
    print('timed out')
try:
    kit.initiate_task('g', 'unknown', 0).get(timeout=20)
except Failed as error:
    print(type(error).__name__)
print(kit.initiate_task('g', 'foo', 3, eager=True).get())
for process in processes:
    process.terminate()
for process in processes:
    process.join()
"""


def test_a_program_for_taskkits_api_runs(tmp_path: Path):
    (tmp_path / "program.py").write_text(TASKKIT_PROGRAM)

    ran = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["{'some_data': 1}", "2", "timed out", "TaskDiscarded", "3"]
