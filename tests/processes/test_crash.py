"""A worker dies: it is replaced at once, and only who is proven guilty is charged."""

import os
import signal

import pytest

from tests.processes.apps import BUSY, HEAD, IDLE, crashing


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("ctypes.string_at(0)", "killed by signal 11 (SIGSEGV)"),
        ("os.abort()", "killed by signal 6 (SIGABRT)"),
        ("os._exit(0)", "exited with code 0"),
        ("os._exit(3)", "exited with code 3"),
    ],
)
def test_the_guilty_task_is_charged_alone(tree, how, cause):
    """Seen to charge nobody without faulthandler, and without the stamp of `os._exit`."""
    tree = tree(crashing(how))

    charged = tree.wait("task_charged")
    tree.wait("worker_ready", count=3)

    assert charged["task_name"] == "guilty"
    assert cause in charged["cause"]
    (restored,) = [fact for fact in tree.store() if fact["verb"] == "restore"]
    assert list(restored["charged"]) == [charged["task_id"]]
    assert restored["suspects"] == []


@pytest.mark.parametrize(
    "how", ["os.kill(os.getpid(), signal.SIGKILL)", "ctypes.CDLL(None).exit(1)"]
)
def test_without_proof_all_that_ran_are_suspects_and_nobody_is_charged(tree, how):
    tree = tree(crashing(how))

    tree.wait("worker_died")
    tree.wait("worker_ready", count=3)

    restored = tree.wait_store(verb="restore")
    assert restored["charged"] == {}
    assert len(restored["suspects"]) == 2


def test_a_crash_in_a_process_the_task_forked_is_not_the_workers(tree, tmp_path):
    """Seen to end in `os._exit` stamping, and TERM draining, a process that is no worker."""
    app = f"""{HEAD}
def forks():
    pid = os.fork()
    if pid == 0:
        open(FOLDER + "/forked", "w").close()
        time.sleep(600)
    while not told("forked"):
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM:
        open(FOLDER + "/died of TERM", "w").close()
    innocent()

kit = Kit(forks)
"""
    tree = tree(app, processes=1)

    tree.wait_file("died of TERM")

    assert tree.seen("worker_died") == []


def test_a_killed_worker_is_replaced_at_once_again_and_again(tree):
    tree = tree(IDLE)
    for round_ in range(5):
        tree.wait("worker_ready", count=2 + round_)

        os.kill(tree.workers()[0], signal.SIGKILL)

        tree.wait("worker_died", count=1 + round_)
    tree.wait("worker_ready", count=7)
    assert tree.seen("respawn_delayed") == []


def test_a_killed_keeper_is_replaced_and_told_again(tree):
    tree = tree(BUSY)
    keeper = tree.wait("keeper_ready")["pid"]
    tree.wait("worker_ready", count=2)

    # Given a keeper that cannot take note of a worker's death any more
    os.kill(keeper, signal.SIGSTOP)
    dead = tree.wait("worker_started")
    os.kill(dead["pid_"], signal.SIGKILL)
    tree.wait("worker_died")
    os.kill(keeper, signal.SIGKILL)

    # Then its successor restores that worker's tasks
    tree.wait("keeper_ready", count=2)
    tree.wait_store(verb="restore", worker=dead["worker_id"])


def test_a_frozen_keeper_is_replaced_before_the_leases_end(tree):
    tree = tree(IDLE, settings={"lease_ttl": 3.0})
    keeper = tree.wait("keeper_ready")["pid"]

    os.kill(keeper, signal.SIGSTOP)

    tree.wait("keeper_silent")
    tree.wait("keeper_ready", count=2)


def test_suspects_get_a_lane_of_their_own(tree, tmp_path):
    tree = tree(BUSY, settings={"poll_interval": 0.1})
    tree.wait("worker_ready", count=2)
    (tmp_path / "suspects").touch()

    os.kill(tree.workers()[0], signal.SIGKILL)

    assert tree.wait("worker_ready", role="solo lane")


def test_a_crash_in_the_solo_lane_is_proof(tree, tmp_path):
    app = f"""{HEAD}
def guilty():
    os.kill(os.getpid(), signal.SIGKILL)

kit = Kit(solo=[guilty])
"""
    (tmp_path / "suspects").touch()
    tree = tree(app, settings={"poll_interval": 0.1})

    tree.wait("worker_died", role="solo lane")

    restored = tree.wait_store(verb="restore")
    assert len(restored["charged"]) == 1


def test_a_lost_lease_costs_a_worker_its_identity(tree, tmp_path):
    tree = tree(IDLE, settings={"lease_ttl": 3.0})
    tree.wait("worker_ready", count=2)
    first = tree.wait("worker_started")

    (tmp_path / "unknown").write_text(first["worker_id"])

    tree.wait("lease_lost", worker_id=first["worker_id"])
    tree.wait("worker_ended", pid_=first["pid_"])
    tree.wait("worker_ready", count=3)
