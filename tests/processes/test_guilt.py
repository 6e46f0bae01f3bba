"""On a real store: who kills a worker ends failed with the reason, and nobody else pays for it."""

import signal
import time

import pytest

from taskkitx.task import TaskState
from tests.processes.ledger import APP, ASKED_APP
from tests.processes.memory_limit import memory_limit
from tests.processes.promises import Ledger, cut_back_offs_short
from tests.processes.stores import on_stores

MANY = 15.0
"""Seconds in which everything here must have ended."""


class Tasks:
    """The tasks of one test, and waiting for them."""

    def __init__(self, kit):
        self.kit = kit

    def put(self, name, count=1, **data):
        args = [{"group": "default", "name": name, "data": data}] * count
        return [result.id for result in self.kit.initiate_tasks(*args)]

    def records(self, ids):
        found = self.kit.backend.get_many(ids)
        return [found[id] for id in ids]

    def finish(self, ids, patience=MANY):
        """Their records, once all have finished; back-offs of crashed tasks are cut short."""
        deadline = time.monotonic() + patience
        while True:
            records = self.records(ids)
            if all(record.state.finished for record in records):
                return records
            assert time.monotonic() < deadline, [(r.task.name, r.state.label) for r in records]
            cut_back_offs_short(self.kit)
            time.sleep(0.05)

    def wait_state(self, id, state):
        """Return when the task is in this state."""
        deadline = time.monotonic() + MANY
        while self.records([id])[0].state is not state:
            assert time.monotonic() < deadline, self.records([id])
            time.sleep(0.02)

    def wait_for_info(self, key, wanted):
        """Return when a worker's keeper reports this to people."""
        deadline = time.monotonic() + MANY
        while not any(wanted(worker.info.get(key)) for worker in self.kit.backend.workers()):
            assert time.monotonic() < deadline, self.kit.backend.workers()
            time.sleep(0.05)


@pytest.fixture
def tasks(kit):
    return Tasks(kit)


def started(tree, **config):
    tree = tree(APP, toy=False, groups={"default": 4}, settings={"poll_interval": 0.2}, **config)
    tree.wait("supervisor_ready")
    return tree


@on_stores
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


@on_stores
def test_a_guilty_task_kills_its_neighbours_once_and_then_only_itself(tree, tasks):
    tree = started(tree, processes=2)
    tasks.put("sleep", count=7, seconds=1.0)
    (guilty,) = tasks.put("kill")

    tasks.finish([guilty])

    assert len(tree.seen("worker_died", role="worker")) == 1
    assert len(tree.seen("worker_died", role="solo lane")) == 3


def test_what_python_can_catch_is_an_ordinary_failure(tree, tasks):
    """Seen to be taken for a fault of the engine with `except Exception` around the handler."""
    tree = started(tree, processes=1)
    kinds = ["MemoryError", "SystemExit", "KeyboardInterrupt", "GeneratorExit"]
    failing = [tasks.put("raise", kind=kind)[0] for kind in kinds]
    failing += [*tasks.put("leave_thread"), *tasks.put("starve")]
    innocent = tasks.put("noop", count=20)

    for record, kind in zip(
        tasks.finish(failing), [*kinds, "SystemExit", "MemoryError"], strict=True
    ):
        assert record.state is TaskState.FAILED
        assert kind in record.error
        assert record.task.crashes == 0
    assert {record.state for record in tasks.finish(innocent)} == {TaskState.SUCCEEDED}
    assert tree.seen("worker_died") == []
    assert tree.seen("unexpected") == []  # its task's failure, not ours


def test_a_task_that_must_not_crash_twice_fails_at_the_first(tree, tasks):
    started(tree)
    (careful,) = tasks.put("segfault", _limits={"on_crash": "fail"})

    (record,) = tasks.finish([careful])

    assert record.state is TaskState.FAILED
    assert (record.task.crashes, record.task.attempt) == (1, 2)


def test_a_task_that_must_run_at_most_once_does_not_run_again_beside_a_crash(tree, tasks, tmp_path):
    """Seen to run twice with loss told to the guilty and to suspects only."""
    tree = started(tree, processes=1)
    (once,) = tasks.put("wait", file="enough", _limits={"at_most_once": True})
    (other,) = tasks.put("wait", file="enough")
    tasks.put("segfault")

    tree.wait("worker_died")
    (record,) = tasks.finish([once])
    (tmp_path / "enough").touch()

    assert record.state is TaskState.FAILED
    assert "SIGSEGV" in record.error
    assert Ledger(tmp_path / "ledger").attempts(once) == [1]
    assert tasks.finish([other])[0].state is TaskState.SUCCEEDED


def asked(tree, **config):
    tree = tree(
        ASKED_APP, toy=False, groups={"default": 4}, settings={"poll_interval": 0.2}, **config
    )
    tree.wait("supervisor_ready")
    return tree


def test_a_handler_is_asked_before_a_lost_task_runs_again(tree, tasks, tmp_path):
    """Seen to ask for the guilty and for suspects only."""
    tree = asked(tree, processes=1)
    (refused,) = tasks.put("wait", file="enough", _if_lost=None)
    (delayed,) = tasks.put("wait", file="enough", _if_lost=1.0)
    (willing,) = tasks.put("wait", file="enough", _if_lost=0.0)
    (guilty,) = tasks.put("segfault", _if_lost=None)

    tree.wait("worker_died")
    for record in tasks.finish([refused, guilty]):
        assert record.state is TaskState.FAILED
        assert "SIGSEGV" in record.error
    (tmp_path / "enough").touch()

    ledger = Ledger(tmp_path / "ledger")
    assert (ledger.attempts(refused), ledger.attempts(guilty)) == ([1], [1])
    for record in tasks.finish([delayed, willing]):
        assert record.state is TaskState.SUCCEEDED
        assert (record.task.retry_count, record.task.crashes) == (0, 0)


def test_a_stop_that_kills_asks_too_and_a_policy_that_breaks_waits(tree, tasks, tmp_path):
    make, tree = tree, asked(tree, processes=1)
    (refused,) = tasks.put("wait", file="enough", _if_lost=None)
    (broken,) = tasks.put("wait", file="enough", _if_lost="raise")
    while not (tmp_path / "ledger").exists() or len(Ledger(tmp_path / "ledger").started) < 2:
        tree.sleep(0.01)

    tree.signal(signal.SIGQUIT)
    assert tree.exit() == 124
    asked(make, processes=1)

    (record,) = tasks.finish([refused])
    assert record.state is TaskState.FAILED
    tasks.wait_state(broken, TaskState.SCHEDULED)


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


@pytest.mark.soak
def test_a_handler_that_holds_the_interpreter_beyond_its_lease_is_not_run_twice(
    tree, tasks, tmp_path, soak
):
    """Seen to run twice with leases renewed by the worker's own threads."""
    lease, seconds = (15.0, 40) if soak else (3.0, 7)
    settings = {"lease_ttl": lease, "poll_interval": 0.2}
    tree = tree(APP, toy=False, groups={"default": 4}, settings=settings)
    tree.wait("worker_ready", count=2)
    (holding,) = tasks.put("hold", seconds=seconds)

    (record,) = tasks.finish([holding], patience=MANY + seconds)

    assert record.state is TaskState.SUCCEEDED
    assert record.task.attempt == 1
    assert (tmp_path / "ledger").read_text().count("X ") == 1


def test_memory_that_leaks_is_bounded_costs_no_task_and_names_the_leaker(tree, tasks):
    """Seen to end in kills without a name, at twice the limit, with the supervisor's own look once a second alone."""
    tree = tree(
        APP,
        toy=False,
        processes=2,
        groups={"default": 1},
        settings={"max_rss": 200 << 20, "poll_interval": 0.2, "lease_ttl": 3.0},
    )
    tree.wait("supervisor_ready")

    records = tasks.finish(tasks.put("leak", count=40, megabytes=20, seconds=0.02))
    tree.wait("recycle", count=2)

    assert {record.state for record in records} == {TaskState.SUCCEEDED}
    # What fits between two looks of a worker at itself comes on top.
    assert max(int(record.result) for record in records) < (200 + 3 * 20) << 20
    # Given back unstarted at most, by one worker after the other.
    assert {(r.task.crashes, r.task.lost, r.task.retry_count) for r in records} == {(0, 0, 0)}
    assert tree.seen("worker_killed") == []
    tasks.wait_for_info("recycled", lambda names: names and names["leak"] >= 2)


def test_a_task_that_needs_far_more_than_the_limit_runs_alone_and_succeeds(tree, tasks):
    """Seen to be killed again and again for ever, with such a kill taken for a stop."""
    tree = tree(
        APP,
        toy=False,
        processes=1,
        groups={"default": 2},
        settings={"max_rss": 60 << 20, "poll_interval": 0.2},
    )
    tree.wait("supervisor_ready")
    (hungry,) = tasks.put("feast", megabytes=150, until="killed or done")

    tree.wait("worker_killed")
    (record,) = tasks.finish([hungry])

    assert (record.state, record.task.crashes) == (TaskState.SUCCEEDED, 0)
    # Because it is over the limit, or because no suspect waits any more: which of the two is a race.
    tree.wait("worker_ended", role="solo lane")
    assert len(tree.seen("worker_killed")) == 1


@on_stores
def test_a_task_for_which_the_kernel_has_not_enough_memory_fails_alone(tree, tasks):
    """The kernel kills whom it likes, and leaves no word: only a death alone in the process is proof."""
    with memory_limit(400 << 20) as limit:
        tree = started(tree, processes=2)
        tree.wait("worker_ready", count=2)
        limit.hold(tree.session())
        innocent = tasks.put("sleep", count=7, seconds=1.0)
        (greedy,) = tasks.put("devour")

        (record,) = tasks.finish([greedy], patience=2 * MANY)

        assert (record.state, record.task.crashes) == (TaskState.FAILED, 3)
        assert "SIGKILL" in record.error
        for other in tasks.finish(innocent, patience=2 * MANY):
            assert other.state is TaskState.SUCCEEDED
            assert (other.task.crashes, other.task.lost) == (0, 0)
        tree.signal(signal.SIGTERM)
        assert tree.exit() == 0
