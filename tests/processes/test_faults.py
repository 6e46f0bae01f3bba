"""What a whole tree must survive: losing everything at once, being stopped, crowds, leaks, a full disk."""

import errno
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest

from taskkitx.errors import StoreError
from taskkitx.task import TaskState
from tests.processes.ledger import APP, make
from tests.processes.promises import Ledger, assert_kept_every_promise, feed, finish
from tests.processes.stores import on_stores
from tests.processes.tree import PATIENCE

FAST = {"lease_ttl": 3.0, "poll_interval": 0.2}
PATIENT = {"lease_ttl": 9.0, "poll_interval": 0.2}
"""For those who must not lose a lease on a busy machine."""


def kill_whole(tree):
    """As a power cut does: nobody is left to clean up."""
    os.killpg(tree.pid, signal.SIGKILL)
    tree.process.wait()


def wait_running(kit, ids, count):
    deadline = time.monotonic() + PATIENCE
    while True:
        records = kit.backend.get_many(ids).values()
        if sum(record.state is TaskState.RUNNING for record in records) >= count:
            return
        assert time.monotonic() < deadline, Counter(record.state.label for record in records)
        time.sleep(0.01)


def sleepers(kit, count, seconds):
    args = [{"group": "default", "name": "sleep", "data": {"seconds": seconds}}] * count
    return [result.id for result in kit.initiate_tasks(*args)]


@on_stores
def test_what_a_lost_host_ran_is_taken_back_once_by_whoever_survives(tree, kit, tmp_path):
    """Three keepers race for it. Seen to wait for ever when nobody looks for
    workers whose lease has ended."""
    lost = tree(APP, toy=False, groups={"default": 4}, settings=PATIENT)
    lost.wait("supervisor_ready")
    waiting = {"group": "default", "name": "wait", "data": {"file": "enough"}}
    ids = [result.id for result in kit.initiate_tasks(*[waiting] * 8)]
    wait_running(kit, ids, 8)
    survivors = [tree(APP, toy=False, groups={"default": 2}, settings=PATIENT) for _ in range(3)]
    for survivor in survivors:
        survivor.wait("supervisor_ready")

    kill_whole(lost)
    (tmp_path / "enough").touch()
    ids += feed(kit, random.Random(1), 200)

    finish(kit, ids, hurry=True)
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))
    for id in ids[:8]:
        assert [attempt.state for attempt in kit.backend.attempts(id)] == ["lost"]
        assert kit.backend.get_many([id])[id].task.crashes == 0


@on_stores
def test_a_host_that_lost_everything_recovers_by_itself(tree, kit, store, tmp_path):
    """Seen to wait for the lease's end, and longer, on SQLite without the look at the pids of this machine."""
    settings = {} if store.startswith("sqlite") else PATIENT
    first = tree(APP, toy=False, groups={"default": 4}, settings=settings)
    first.wait("supervisor_ready")
    ids = sleepers(kit, 8, 1.0) + feed(kit, random.Random(2), 500)
    wait_running(kit, ids, 8)

    kill_whole(first)
    tree(APP, toy=False, groups={"default": 4}, settings=settings)

    finish(kit, ids, patience=25.0, hurry=True)  # by default a lease takes 30
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))


@on_stores
def test_workers_whose_lease_is_not_renewed_start_nothing(tree, kit, tmp_path):
    """Supervisor and keeper are stopped, the workers are not. Seen to go on, beside whoever has been given their tasks,
    without the look at the lease before each start."""
    tree = tree(APP, toy=False, groups={"default": 2}, settings=FAST)
    tree.wait("supervisor_ready")
    tree.wait("worker_ready", count=2)
    stopped = [tree.pid, tree.wait("keeper_ready")["pid"]]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    tree.sleep(FAST["lease_ttl"])  # the lease ends; nobody tells

    ids = feed(kit, random.Random(3), 50)
    tree.sleep(1.0)  # in which the workers would have begun

    assert not (tmp_path / "ledger").exists()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    finish(kit, ids)
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))


@on_stores
def test_keepers_that_are_killed_all_the_time_cost_no_lease(tree, kit, tmp_path):
    """Seen to lose leases with a back-off for keepers that had been ready."""
    # Given somebody who takes tasks over as soon as a lease ends
    tree(APP, toy=False, groups={"other": 1}, settings=PATIENT).wait("supervisor_ready")
    tree = tree(APP, toy=False, groups={"default": 4}, settings=PATIENT)
    tree.wait("supervisor_ready")
    ids = sleepers(kit, 8, 5.0)

    for round_ in range(8):
        keeper = tree.wait("keeper_ready", count=1 + round_)
        os.kill(keeper["pid"], signal.SIGKILL)
        tree.sleep(0.5)

    finish(kit, ids)
    ledger = Ledger(tmp_path / "ledger")
    assert [ledger.attempts(id) for id in ids] == [[1]] * len(ids)
    assert not tree.seen("lease_lost")


@on_stores
def test_one_task_does_not_wake_everybody(tree, kit, tmp_path):
    """64 idle threads. Seen to end in a claim of each worker with every one of them rung for."""
    tree = tree(
        APP,
        toy=False,
        backend="Counted",
        processes=4,
        groups={"default": 16},
        settings={"poll_interval": 60.0},
    )
    tree.wait("supervisor_ready")
    tree.wait("worker_ready", count=4)
    exchanges = tmp_path / "exchanges"
    tree.wait_for(lambda: len({line.split()[1] for line in lines_of(exchanges)}) == 4)
    began = time.monotonic()

    assert kit.initiate_task("default", "noop", {}).get(timeout=PATIENCE) == 1

    since = [line.split() for line in lines_of(exchanges) if float(line.split()[0]) > began]
    claims_only = [line for line in since if line[3] == "0"]
    assert 1 <= len(claims_only) <= 2, since


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def test_what_tasks_leave_open_goes_with_their_worker(tree, kit, tmp_path):
    """Seen to fail for want of descriptors without recycling."""
    tree = tree(
        APP,
        toy=False,
        processes=1,
        groups={"default": 1},
        settings={"max_tasks": 2, "prefetch": 0, "poll_interval": 0.2},
        descriptors=256,
    )
    tree.wait("supervisor_ready")
    litter = {
        "group": "default",
        "name": "litter",
        "data": {"descriptors": 30, "threads": 30, "seconds": 0.5},
    }

    ids = [result.id for result in kit.initiate_tasks(*[litter] * 12)]

    finish(kit, ids)
    assert {r.state for r in kit.backend.get_many(ids).values()} == {TaskState.SUCCEEDED}
    tree.wait("recycle", count=2)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one mebibyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def test_a_disk_that_is_full_stops_nothing_for_good(tree, small_disk, tmp_path, monkeypatch):
    """Seen to end workers that take the store's trouble for their own."""
    monkeypatch.setenv("TEST_URL", f"sqlite:///{small_disk}/tasks.db")  # the ledger has room
    kit = make(tmp_path)
    kit.backend.open()
    tree = tree(APP, toy=False, groups={"default": 2}, settings=FAST)
    tree.wait("supervisor_ready")
    ids = feed(kit, random.Random(4), 20) + sleepers(kit, 4, 1.0)
    wait_running(kit, ids, 4)

    # Given no room at all: for nothing else, then for no task, and then for no outcome either
    ballast = small_disk / "ballast"
    fill(ballast)
    with pytest.raises(StoreError):
        feed(kit, random.Random(5), 20_000)
    tree.wait("store_down", who="worker")

    # When there is room again
    ballast.unlink()
    ids += feed(kit, random.Random(6), 20)

    # Then all that was acknowledged is done, by the same processes
    finish(kit, ids)
    states = Counter(record.state.label for record in kit.backend.get_many(ids).values())
    assert states == {"succeeded": len(ids)}
    assert tree.seen("worker_died") == []
    kit.backend.close()
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0


def test_a_file_on_a_read_only_file_system_is_refused_once(tree, small_disk, tmp_path, monkeypatch):
    """Seen to be tried again and again where the first write's refusal counts as the store's absence."""
    monkeypatch.setenv("TEST_URL", f"sqlite:///{small_disk}/tasks.db")
    kit = make(tmp_path)
    kit.backend.open()
    kit.backend.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    tree = tree(APP, toy=False, groups={"default": 2}, settings=FAST)

    assert tree.exit() == 78
    (refusal,) = tree.seen("boot_refused")
    assert "cannot be written" in refusal["reason"]
