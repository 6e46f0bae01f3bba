"""A Kit on Redis as a user runs it: the command line, a supervisor's schedules, Ctrl-C, and what does not work."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis

from taskkitx.backends.connect import connect
from taskkitx.record import TaskFilter

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0

SHOP = """
import redis

from taskkitx import RegularSchedule, TaskHandler
from taskkitx.impl.redis import make_kit

class Echo(TaskHandler):
    def handle(self, task):
        return task.name

kit = make_kit(redis.Redis(port=PORT, db=DB, decode_responses=True), Echo())

if __name__ == "__main__":
    kit.start(
        num_processes=2,
        num_worker_threads_per_group={"default": 2},
        schedule_entries={
            "clock": [
                {
                    "key": "tick",
                    "group": "default",
                    "name": "tick",
                    "data": None,
                    "schedule": RegularSchedule(seconds=set(range(60))),
                }
            ]
        },
    )
"""


@pytest.fixture
def run(tmp_path, redis_url):
    """Runs python with these words in a folder with `shop.py`, whose kit is on the test's store."""
    port, database = redis_url.rsplit(":", 1)[1].split("/")
    (tmp_path / "shop.py").write_text(SHOP.replace("PORT", port).replace("DB", database))
    started: list[subprocess.Popen[str]] = []

    def start(*words, url=redis_url):
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("TASKKITX_")},
                "PYTHONPATH": str(ROOT),
                "TASKKITX_URL": url,
                "TASKKITX_RUN_DIR": str(tmp_path / "run"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def command(run):
    """Runs `taskkitx` with these words to its end; its exit code and what it said."""

    def to_end(*words, **options):
        return end(run("-m", "taskkitx.cli", *words, **options))

    return to_end


def end(process):
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def test_the_command_line_from_start_to_ctrl_c(run, command, redis_url):
    worker = run("-m", "taskkitx.cli", "worker", "--app", "shop:kit", "-p", "2")
    program = (
        "from shop import kit; print(kit.initiate_task('default', 'hello', 1).get(timeout=20))"
    )

    assert end(run("-c", program)) == (0, "hello\n")
    assert command("pause", "default")[0] == 0
    code, status = command("status")
    assert code == 0
    assert "default" in status
    assert "paused" in status
    assert "hello" in command("tasks", "list", "--state", "succeeded")[1]
    assert command("resume", "default")[0] == 0
    assert end(run("-c", program)) == (0, "hello\n")
    assert command("migrate")[0] == 0
    worker.send_signal(signal.SIGINT)
    code, said = end(worker)
    assert code == 0, said
    assert redis_url.replace("127.0.0.1", "localhost") in said


def test_schedules_of_a_kit_on_a_client(run, redis_url):
    backend, _ = connect(redis_url)
    heard = threading.Semaphore(0)
    tree = run("shop.py")

    with backend.listen(lambda groups: heard.release()):
        while len(ticks(backend)) < 3:
            assert heard.acquire(timeout=PATIENCE)
    tree.send_signal(signal.SIGTERM)
    code, said = end(tree)

    assert code == 0, said
    assert len(ticks(backend)) == len(set(ticks(backend)))
    backend.close()


def ticks(backend):
    return [record.task.scheduled for record in backend.list_tasks(TaskFilter(), limit=1000)]


def test_a_wrong_password_ends_every_command_and_is_not_shown(command, redis_server):
    url = f"redis://user:geheim@127.0.0.1:{redis_server.port}/0"

    for words in (["status"], ["tasks", "list"], ["pause", "a"]):
        code, said = command(*words, url=url)
        assert code == 78
        assert "refuses this user name or password" in said
        assert "geheim" not in said
        assert said.count("\n") == 1


def test_a_wrong_password_ends_the_start(command, redis_server, tmp_path):
    url = f"redis://user:geheim@127.0.0.1:{redis_server.port}/0"
    (tmp_path / "bare.py").write_text(
        "from taskkitx import TaskHandler, make_kit\n"
        "class Echo(TaskHandler):\n"
        "    def handle(self, task): return task.name\n"
        "kit = make_kit(Echo())\n"
    )

    code, said = command("worker", "--app", "bare:kit", url=url)

    assert code == 78
    assert "cannot start: Redis" in said
    assert "geheim" not in said
    assert "Traceback" not in said
    assert 'File "' not in said


def test_a_closed_port_is_waited_for_by_workers_and_told_to_others(
    run, command, redis_server, redis_url
):
    redis_server.stop()

    code, said = command("status")
    assert code == 75
    assert "does not answer" in said
    assert command("worker", "--app", "shop:kit", "--require-store")[0] == 75
    worker = run("-m", "taskkitx.cli", "worker", "--app", "shop:kit")
    for line in worker.stdout:
        if "waits for the store" in line:
            break
    redis_server.start()
    program = (
        "from shop import kit; print(kit.initiate_task('default', 'hello', 1).get(timeout=20))"
    )
    assert end(run("-c", program)) == (0, "hello\n")
    worker.send_signal(signal.SIGTERM)
    assert end(worker)[0] == 0


def test_a_redis_that_may_lose_tasks_is_warned_of_once(run, redis_url):
    with redis.Redis.from_url(redis_url) as admin:
        admin.config_set("maxmemory-policy", "allkeys-lru")
        try:
            worker = run("-m", "taskkitx.cli", "worker", "--app", "shop:kit", "-p", "2")
            program = (
                "from shop import kit; kit.initiate_task('default', 'hello', 1).get(timeout=20)"
            )
            assert end(run("-c", program)) == (0, "")
            worker.send_signal(signal.SIGTERM)
            code, said = end(worker)
        finally:
            admin.config_set("maxmemory-policy", "noeviction")

    assert code == 0
    assert said.count("can lose tasks") == 1
