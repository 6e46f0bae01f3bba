"""Two supervisors with their own names share one database, as they would on two hosts."""

import os
import signal
import time
from contextlib import suppress

import pytest
from click.testing import CliRunner

from taskkitx.cli import main
from taskkitx.task import TaskState
from tests.processes.ledger import APP

LEASE = 3.0
on_servers = pytest.mark.parametrize("store", ["postgres", "mysql"], indirect=True)


@pytest.fixture
def two(tree, kit):
    """`a` and `b`, ready."""
    settings = {"lease_ttl": LEASE, "poll_interval": 0.3}
    trees = [
        tree(APP, toy=False, processes=1, groups={"default": 2}, settings=settings, instance=name)
        for name in ("a", "b")
    ]
    for made in trees:
        made.wait("supervisor_ready")
    return trees


def lose_power(tree):
    """Every process at once: nobody is left to replace or to restore anybody."""
    os.kill(tree.pid, signal.SIGSTOP)
    while pids := tree.session() - {tree.pid}:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)  # the kernel says nothing when the last process of a session ends
    os.kill(tree.pid, signal.SIGKILL)


@on_servers
def test_status_shows_both(two, kit, store):
    answer = CliRunner().invoke(main, ["status", "--url", store])

    assert answer.exit_code == 0, answer.output
    assert {worker.instance for worker in kit.backend.workers()} == {"a", "b"}
    for made in two:
        assert str(made.seen("worker_started")[0]["pid_"]) in answer.output


@on_servers
def test_what_one_host_ran_when_it_vanished_the_other_finishes(two, kit):
    results = kit.initiate_tasks(
        *[{"group": "default", "name": "wait", "data": {"file": "go on"}}] * 4
    )
    ids = [result.id for result in results]
    while any(r.state is not TaskState.RUNNING for r in kit.backend.get_many(ids).values()):
        time.sleep(0.02)  # a running task tells nobody that it is
    gone, left = two

    lose_power(gone)
    began = time.monotonic()
    left.wait("worker_expired", timeout=30)
    took = time.monotonic() - began
    (gone.folder / "go on").touch()

    for result in results:
        assert result.get(timeout=60, avoid_assertion=True) is None
    # lease + sweep + what a dead worker is left to its own keeper, and a second for the machine
    assert took < LEASE + LEASE / 3 + 1 + 1
