"""Random kills under load, judged by a ledger outside the store."""

import os
import random
import signal
import statistics
import time
from collections import Counter
from datetime import datetime

import pytest

from taskkitx.task import TaskState
from tests.processes.ledger import APP, make

SEED = 20_000


@pytest.fixture
def kit(tmp_path):
    kit = make(tmp_path)
    kit.backend.open()
    yield kit
    kit.backend.close()


def feed(kit, generator, count):
    """Put `count` tasks of three kinds; returns their ids."""
    kinds = [("noop", {}), ("sleep", {"seconds": 0.005}), ("boom", {"times": 1})]
    args = [
        {"group": "default", "name": name, "data": data}
        for name, data in generator.choices(kinds, k=count)
    ]
    return [result.id for result in kit.initiate_tasks(*args)]


class Ledger:
    """What was executed, as the handlers wrote it down."""

    def __init__(self, path):
        self.started: Counter[tuple[str, int]] = Counter()
        for line in path.read_text().splitlines():
            what, task, attempt, *_ = line.split()
            if what == "X":
                self.started[task, int(attempt)] += 1

    @property
    def twice(self):
        """Attempts that were started more than once."""
        return [attempt for attempt, times in self.started.items() if times > 1]


def assert_kept_every_promise(kit, ids, ledger):
    records = kit.backend.get_many(ids)
    states = Counter(records[id].state.label for id in ids)
    assert states == {"succeeded": len(ids)}
    assert ledger.twice == []
    executed = {task for task, _ in ledger.started}
    assert executed == set(ids)
    for id in ids:
        assert (id, records[id].task.attempt) in ledger.started


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_killing_workers_and_keepers_loses_nothing(tree, kit, tmp_path, soak):
    """Seen to fail without `attempt` in the fence, and with suspects left to the lease's end."""
    seconds, count = (60.0, 20_000) if soak else (8.0, 3_000)
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    tree = tree(APP, toy=False, processes=3, groups={"default": 8}, settings={"poll_interval": 0.5})
    tree.wait("supervisor_ready")
    ids: list[str] = []
    kills = {}
    end = time.monotonic() + seconds
    keeper_at = time.monotonic() + 3.0

    while time.monotonic() < end:
        time.sleep(0.3)  # the rhythm of the kills
        if len(ids) < count:
            ids += feed(kit, generator, round(count * 0.3 / seconds) + 1)
            time.sleep(generator.uniform(0.0, 0.015))  # into the middle of them
        victim = generator.choice(at_work(tree) or [None])
        if victim and kill(victim["pid_"]):
            kills[victim["worker_id"]] = time.time()
        if time.monotonic() > keeper_at:
            keeper_at += 3.0
            kill(tree.seen("keeper_ready")[-1]["pid"])

    finish(kit, ids)
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0
    delays = restore_delays(tree, kills)
    print(
        f"{len(ids)} tasks, {len(kills)} workers killed while {len(delays)} ran tasks; restored after"
    )
    print(f"{statistics.median(delays) * 1000:.1f} ms median, {max(delays) * 1000:.1f} ms worst")
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))
    assert len(delays) > len(kills) / 4
    assert max(delays) < 2.0
    assert all(r.task.crashes == 0 for r in kit.backend.get_many(ids).values())


def at_work(tree):
    ended = {line["pid_"] for line in [*tree.seen("worker_died"), *tree.seen("worker_ended")]}
    ready = {line["pid_"] for line in tree.seen("worker_ready")} - ended
    return [line for line in tree.seen("worker_started", role="worker") if line["pid_"] in ready]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def finish(kit, ids, patience=60.0):
    deadline = time.monotonic() + patience
    left = set(ids)
    while left:
        records = kit.backend.get_many(list(left)[:5000])
        left -= {id for id, record in records.items() if record.state.finished}
        assert time.monotonic() < deadline, Counter(
            (r.state.label, r.task.name, r.task.crashes) for r in records.values()
        )
        time.sleep(0.1)


def restore_delays(tree, kills):
    """Seconds from each kill to the moment at which the dead worker's tasks could be claimed again."""
    restored = {line["worker_id"]: line["time"] for line in tree.seen("tasks_restored")}
    return [
        datetime.fromisoformat(restored[worker]).timestamp() - moment
        for worker, moment in kills.items()
        if worker in restored
    ]


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_stopping_at_any_moment_of_the_start(tree, soak):
    """Seen to hang, and to leave workers behind, with signals not blocked across the fork."""
    generator = random.Random(SEED)
    app = "from tests.processes.toy import Kit\nkit = Kit()"
    for _ in range(1000 if soak else 20):
        made = tree(app, processes=4)
        made.wait("supervisor_started")
        time.sleep(generator.uniform(0.0, 0.005))

        made.signal(signal.SIGTERM)

        assert made.exit(timeout=10) == 0, made.text
        assert made.session() == set()
        made.close()


def test_after_a_killed_supervisor_nothing_is_claimed_and_the_next_one_finishes(
    tree, kit, tmp_path
):
    first = tree(APP, toy=False, groups={"default": 4})
    first.wait("supervisor_ready")
    ids = feed(kit, random.Random(SEED), 2000)
    (waiting,) = kit.initiate_tasks({"group": "default", "name": "sleep", "data": {"seconds": 2}})

    first.signal(signal.SIGKILL)
    first.exit(timeout=15)

    assert first.session() == set()
    states = Counter(record.state for record in kit.backend.get_many([*ids, waiting.id]).values())
    assert states[TaskState.RUNNING] == 0
    tree(APP, toy=False, groups={"default": 4})
    finish(kit, [*ids, waiting.id])
    assert_kept_every_promise(kit, [*ids, waiting.id], Ledger(tmp_path / "ledger"))


def test_a_whole_tree_that_was_stopped_beyond_its_lease_is_refused_its_late_results(
    tree, kit, tmp_path
):
    """Seen to accept the late results without `worker_id` and `attempt` in the fence."""
    settings = {"lease_ttl": 3.0, "poll_interval": 0.2}
    stopped = tree(APP, toy=False, groups={"default": 4}, settings=settings)
    stopped.wait("supervisor_ready")
    ids = [
        result.id
        for result in kit.initiate_tasks(
            *[{"group": "default", "name": "sleep", "data": {"seconds": 1.0}}] * 8
        )
    ]
    while sum(r.state is TaskState.RUNNING for r in kit.backend.get_many(ids).values()) < 8:
        time.sleep(0.01)
    time.sleep(0.2)  # let the claims' transactions end: a stopped writer would hold the store
    pids = sorted(stopped.session())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    other = tree(APP, toy=False, groups={"default": 4}, settings=settings)
    other.wait("worker_expired", timeout=15)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)

    finish(kit, ids)
    refused = stopped.wait("outcomes_refused")
    assert refused
    assert Ledger(tmp_path / "ledger").twice == []
    stopped.wait("lease_lost")
    stopped.wait("worker_ready", count=4)  # under new identities
