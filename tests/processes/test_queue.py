"""A Queue's functions in real processes, some of them killed, judged by a ledger outside the store."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from taskkitx import Failed, Queue, TaskState
from tests.processes.promises import Ledger, finish
from tests.processes.test_soak import at_work
from tests.stores import shared_url

__all__ = ["shared_url"]

SEED = 1_000
PATIENCE = 30.0

APP = """
import os, signal, threading, time
from taskkitx import Queue, current_task

FOLDER = os.environ["TEST_FOLDER"]
queue = Queue(os.environ["STORE_URL"])

def write(file, text):
    descriptor = os.open(os.path.join(FOLDER, file), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (text + "\\n").encode())
    os.close(descriptor)

def note(what):
    write("ledger", f"{what} {current_task.id} {current_task.attempt} {current_task.retry_count}")

@queue.task(name="flaky", max_retries=2, retry_backoff=0.01)
def flaky(fails, seconds):
    note("X")
    time.sleep(seconds)
    if current_task.retry_count < fails:
        raise ValueError(f"{current_task.retry_count} of {fails}")
    return fails

@queue.task(name="once", delivery="at_most_once")
def once():
    note("X")
    os.kill(os.getpid(), signal.SIGKILL)

@queue.task(name="steps")
def steps(seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        current_task.progress(seconds - left, seconds, repr(time.time()))
        time.sleep(0.001)

@queue.task(name="mail", group="mail")
def mail():
    return current_task.group

@queue.periodic("* * * * * *", args=("tock",))
@queue.task(name="tick")
def tick(word):
    write("ticks", word)

progress = queue.backend.progress

def counted(*args):
    write("writes", "one")
    return progress(*args)

queue.backend.progress = counted
"""


@pytest.fixture
def queue(shared_url, monkeypatch):
    monkeypatch.setenv("STORE_URL", shared_url)
    queue = Queue(shared_url)
    queue.backend.open()
    yield queue
    queue.backend.close()


def start(tree, **config):
    config = {"processes": 2, "groups": {"default": 8}, **config}
    made = tree(APP, toy=False, path="app:queue", settings={"poll_interval": 0.2}, **config)
    made.wait("supervisor_ready")
    return made


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_flaky_tasks_end_as_their_seed_says_whatever_is_killed(tree, queue, tmp_path, soak):
    """Seen to fail with suspects charged like the guilty: killed attempts came into the history."""
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    count, seconds = (1000, 0.02) if soak else (300, 0.01)
    fails = [generator.randrange(4) for _ in range(count)]
    made = start(tree, processes=3)
    results = queue.enqueue_many("flaky", [(n, seconds) for n in fails])
    ids = [result.id for result in results]
    kills = 0
    while kills < (20 if soak else 5) and queue.stats()["queued"]:
        time.sleep(generator.uniform(0.05, 0.3))  # the rhythm of the kills
        victim = generator.choice(at_work(made) or [None])
        kills += bool(victim and made.kill(victim["pid_"]))

    finish(queue, ids, patience=200.0)

    print(f"{count} tasks, {kills} workers killed")
    assert kills
    assert Ledger(tmp_path / "ledger").twice == []
    for result, n in zip(results, fails, strict=True):
        ended = TaskState.FAILED if n == 3 else TaskState.SUCCEEDED
        recorded = [(one.state, one.message) for one in result.attempts]
        states = ["retried"] * min(n, 2) + ["failed"] * (n == 3)
        assert (result.state, recorded) == (
            ended,
            [(state, f"{number} of {n}") for number, state in enumerate(states)],
        )


def test_what_runs_at_most_once_is_not_run_again_by_another_process(tree, queue, tmp_path):
    """Seen to run again where what is refused before a start did not ask for `at_most_once`."""
    start(tree)
    result = queue.enqueue("once")

    with pytest.raises(Failed, match="died while it ran"):
        result.get(PATIENCE)

    assert Counter(Ledger(tmp_path / "ledger").started) == {(result.id, 1): 1}


def test_progress_is_seen_from_another_process_at_few_writes(tree, queue, tmp_path):
    start(tree)
    result = queue.enqueue("steps", (2.0,))
    seen = set()
    while not result.state.finished:
        progress = queue.progress(result.id)
        if progress is not None:
            seen.add(progress.current)
            assert progress.total == 2.0
        time.sleep(0.02)  # as somebody who looks again and again

    writes = (tmp_path / "writes").read_text().splitlines()
    assert len(seen) >= 3
    assert len(writes) <= 2.0 * 4 + 2


def test_workers_serve_the_groups_and_schedules_that_the_queue_names(tree, queue):
    made = start(tree, groups={"unused": 1}, groups_by_app=True)

    assert queue.enqueue("mail", group="mail").get(PATIENCE) == "mail"
    made.wait_file("ticks")
    (worker, *_) = queue.backend.workers()
    deadline = time.monotonic() + PATIENCE
    while not worker.info.get("groups") and time.monotonic() < deadline:
        time.sleep(0.05)  # until its keeper has reported
        (worker, *_) = queue.backend.workers()
    assert set(worker.info["groups"]) == {"default", "mail"}
    made.signal(signal.SIGTERM)
    assert made.exit() == 0


PRODUCER = """
import json, sys, time
from taskkitx import Queue

queue = Queue(sys.argv[1])

@queue.task(name="alone", unique="done")
def alone(): ...

queue.backend.open()
print("ready", flush=True)
sys.stdin.readline()  # all begin at one moment
result = alone.delay()
queue.backend.close()
print(json.dumps([result.id, result.created]))
"""


@pytest.mark.timeout(120)
def test_of_racing_producer_processes_one_puts_a_task(queue):
    # New interpreters: a fork of this process would share the locks of its other threads.
    command = [sys.executable, "-c", PRODUCER, queue.backend.url]
    pipe = subprocess.PIPE
    producers: list[Any] = [  # whose pipes are there
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(16)
    ]
    assert {producer.stdout.readline() for producer in producers} == {"ready\n"}

    for producer in producers:
        producer.stdin.write("\n")
        producer.stdin.flush()
    outcomes = [json.loads(producer.communicate()[0]) for producer in producers]

    assert len({id for id, _ in outcomes}) == 1
    assert sum(created for _, created in outcomes) == 1
