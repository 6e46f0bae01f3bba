"""On a real store: who kills a worker ends failed with the reason, and nobody else pays for it."""

import sqlite3
import time

import pytest

from taskkitx.task import TaskState
from tests.processes.ledger import APP, make

MANY = 15.0
"""Seconds in which everything here must have ended."""


@pytest.fixture
def kit(tmp_path):
    kit = make(tmp_path)
    kit.backend.open()
    yield kit
    kit.backend.close()


class Tasks:
    """The tasks of one test, and waiting for them."""

    def __init__(self, kit, folder):
        self.kit = kit
        self.file = folder / "tasks.db"

    def put(self, name, count=1, **data):
        args = [{"group": "default", "name": name, "data": data}] * count
        return [result.id for result in self.kit.initiate_tasks(*args)]

    def records(self, ids):
        found = self.kit.backend.get_many(ids)
        return [found[id] for id in ids]

    def finish(self, ids):
        """Their records, once all have finished; back-offs of crashed tasks are cut short."""
        deadline = time.monotonic() + MANY
        while True:
            records = self.records(ids)
            if all(record.state.finished for record in records):
                return records
            assert time.monotonic() < deadline, [(r.task.name, r.state.label) for r in records]
            self._hurry()
            time.sleep(0.05)

    def _hurry(self):
        with sqlite3.connect(self.file, timeout=10) as connection:
            connection.execute("UPDATE taskkitx_task SET due = 0 WHERE state = 2")
        connection.close()


@pytest.fixture
def tasks(kit, tmp_path):
    return Tasks(kit, tmp_path)


def started(tree, **config):
    tree = tree(APP, toy=False, groups={"default": 4}, settings={"poll_interval": 0.2}, **config)
    tree.wait("supervisor_ready")
    return tree


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("segfault", {}, "SIGSEGV"),
        ("abort", {}, "SIGABRT"),
        ("exit", {"code": 0}, "exited with code 0"),
        ("exit", {"code": 3}, "exited with code 3"),
        ("kill", {}, "SIGKILL"),
    ],
)
def test_the_guilty_fails_after_its_crashes_and_the_innocent_succeed_uncharged(
    tree, tasks, name, data, cause
):
    """Seen to fail with every running task charged, and with none."""
    tree = started(tree, processes=3)
    innocent = tasks.put("sleep", count=7, seconds=1.0)
    (guilty,) = tasks.put(name, **data)

    (record,) = tasks.finish([guilty])

    assert record.state is TaskState.FAILED
    assert record.task.crashes == 3
    assert cause in record.error
    crashed = [a for a in tasks.kit.backend.attempts(guilty) if a.state == "crashed"]
    assert len(crashed) == 3
    if cause in ("SIGSEGV", "SIGABRT"):
        assert "do_" + name in crashed[-1].trace
    for other in tasks.finish(innocent):
        assert other.state is TaskState.SUCCEEDED
        assert (other.task.crashes, other.task.lost) == (0, 0)


def test_a_guilty_task_kills_its_neighbours_once_and_then_only_itself(tree, tasks):
    tree = started(tree, processes=2)
    tasks.put("sleep", count=7, seconds=1.0)
    (guilty,) = tasks.put("kill")

    tasks.finish([guilty])

    assert len(tree.seen("worker_died", role="worker")) == 1
    assert len(tree.seen("worker_died", role="solo lane")) == 3


@pytest.mark.parametrize("kind", ["MemoryError", "SystemExit"])
def test_what_python_can_catch_is_an_ordinary_failure(tree, tasks, kind):
    tree = started(tree)
    (failing,) = tasks.put("raise", kind=kind)

    (record,) = tasks.finish([failing])

    assert record.state is TaskState.FAILED
    assert kind in record.error
    assert tree.seen("worker_died") == []


def test_a_task_that_must_not_crash_twice_fails_at_the_first(tree, tasks):
    started(tree)
    (careful,) = tasks.put("segfault", _limits={"on_crash": "fail"})

    (record,) = tasks.finish([careful])

    assert record.state is TaskState.FAILED
    assert (record.task.crashes, record.task.attempt) == (1, 2)


def test_a_handler_that_swallows_everything_is_failed_at_its_limit(tree, tasks, tmp_path):
    tree = started(tree, processes=1)
    siblings = tasks.put("wait", count=3, file="enough")
    (endless,) = tasks.put("endless", _limits={"timeout": 0.5})

    (record,) = tasks.finish([endless])
    tree.wait("worker_condemned")
    tree.wait("worker_ready", count=2)
    (tmp_path / "enough").touch()

    assert record.state is TaskState.FAILED
    assert "timeout of 0.5 s" in record.error
    for sibling in tasks.finish(siblings):
        assert sibling.state is TaskState.SUCCEEDED
        assert (sibling.task.crashes, sibling.task.attempt) == (0, 1)
    tree.wait("worker_died")


def test_a_handler_that_holds_the_interpreter_beyond_its_lease_is_not_run_twice(
    tree, tasks, tmp_path
):
    """Seen to run twice with leases renewed by a thread of the worker."""
    tree = tree(
        APP, toy=False, groups={"default": 4}, settings={"lease_ttl": 3.0, "poll_interval": 0.2}
    )
    tree.wait("worker_ready", count=2)
    (holding,) = tasks.put("hold", seconds=8)

    (record,) = tasks.finish([holding])

    assert record.state is TaskState.SUCCEEDED
    assert record.task.attempt == 1
    assert (tmp_path / "ledger").read_text().count("X ") == 1


def test_memory_that_leaks_is_bounded_and_costs_no_task(tree, tasks):
    tree = tree(
        APP,
        toy=False,
        processes=2,
        groups={"default": 1},
        settings={"max_rss": 100 << 20, "poll_interval": 0.2},
    )
    tree.wait("supervisor_ready")
    leaking = tasks.put("leak", count=12, megabytes=20, seconds=0.8)

    records = tasks.finish(leaking)
    tree.wait("recycle")

    assert {record.state for record in records} == {TaskState.SUCCEEDED}
