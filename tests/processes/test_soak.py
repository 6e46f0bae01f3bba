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
from tests.processes.ledger import APP
from tests.processes.promises import (
    Ledger,
    assert_kept_every_promise,
    assert_nothing_left,
    feed,
    finish,
    wait_attempts,
)
from tests.processes.stores import on_stores

SEED = 20_000


@on_stores
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
        victim = generator.choice(at_work(tree) or [None])
        elapsed = seconds - (end - time.monotonic())
        due = min(count, round(count * (elapsed + 0.5) / seconds))
        if len(ids) < due:
            ids += feed(kit, generator, due - len(ids))
            time.sleep(generator.uniform(0.0, 0.015))  # into the middle of them
        if victim and tree.kill(victim["pid_"]):
            kills[victim["worker_id"]] = time.time()
        if time.monotonic() > keeper_at:
            keeper_at += 3.0
            tree.kill(tree.seen("keeper_ready")[-1]["pid"])

    ids += feed(kit, generator, count - len(ids))
    finish(kit, ids)
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0
    delays = restore_delays(tree, kills)
    assert len(delays) > len(kills) / 10, "hardly anybody was killed at work"
    print(
        f"{len(ids)} tasks, {len(kills)} workers killed while {len(delays)} ran tasks; restored after"
    )
    print(f"{statistics.median(delays) * 1000:.1f} ms median, {max(delays) * 1000:.1f} ms worst")
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))
    assert max(delays) < 2.0
    assert all(r.task.crashes == 0 for r in kit.backend.get_many(ids).values())


def at_work(tree):
    ended = {line["pid_"] for line in [*tree.seen("worker_died"), *tree.seen("worker_ended")]}
    ready = {line["pid_"] for line in tree.seen("worker_ready")} - ended
    return [line for line in tree.seen("worker_started", role="worker") if line["pid_"] in ready]


def restore_delays(tree, kills):
    """Seconds from each kill to the moment at which the dead worker's tasks could be claimed again."""
    restored = {line["worker_id"]: line["time"] for line in tree.seen("tasks_restored")}
    return [
        datetime.fromisoformat(restored[worker]).timestamp() - moment
        for worker, moment in kills.items()
        if worker in restored
    ]


@pytest.mark.soak
@pytest.mark.timeout(1800)
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
        assert_nothing_left(made)
        made.close()


@on_stores
def test_after_a_killed_supervisor_nothing_is_claimed_and_the_next_one_finishes(
    tree, kit, tmp_path
):
    """Seen to leave tasks running with a keeper that goes with its supervisor."""
    first = tree(APP, toy=False, groups={"default": 4})
    first.wait("worker_ready", count=2)
    args = {"group": "default", "name": "sleep", "data": {"seconds": 2}}
    ids = [result.id for result in kit.initiate_tasks(*[args] * 8)]
    wait_attempts(kit, ids, 1)
    ids += feed(kit, random.Random(SEED), 2000)

    # When one of its workers does not get to the end of its drain either
    first.signal(signal.SIGKILL)
    first.kill(first.workers()[0])
    first.exit(timeout=15)

    assert first.session() == set()
    states = Counter(record.state for record in kit.backend.get_many(ids).values())
    assert states[TaskState.RUNNING] == 0
    tree(APP, toy=False, groups={"default": 4})
    finish(kit, ids)
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))


@on_stores
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
            *[{"group": "default", "name": "sleep", "data": {"seconds": 3.0}}] * 8
        )
    ]
    wait_attempts(kit, ids, 1)
    time.sleep(0.2)  # let the claims' transactions end: a stopped writer would hold the store
    pids = sorted(stopped.session())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    # When somebody else runs all of them by the time the first ones go on
    other = tree(APP, toy=False, groups={"default": 4}, settings=settings)
    other.wait("worker_expired", timeout=15)
    wait_attempts(kit, ids, 2)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)

    finish(kit, ids)
    stopped.wait("lease_lost")
    refused = ", ".join(line["tasks"] for line in stopped.seen("outcomes_refused"))
    assert set(refused.split(", ")) == set(ids)
    assert {r.task.attempt for r in kit.backend.get_many(ids).values()} == {2}
    assert not other.seen("outcomes_refused")
    assert Ledger(tmp_path / "ledger").twice == []
    stopped.wait("worker_ready", count=4)  # under new identities
