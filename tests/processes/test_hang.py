"""A worker that does not go on is replaced, and the one to blame is charged."""

import os
import signal

from tests.processes.apps import HEAD, IDLE


def test_a_worker_whose_main_thread_is_silent_dumps_its_stacks_and_is_replaced(tree):
    app = f"""{HEAD}
def holds_the_interpreter():
    if first_to("hung"):
        ctypes.PyDLL(None).usleep(60_000_000)

kit = Kit(innocent, holds_the_interpreter)
"""
    tree = tree(app, processes=1, settings={"hang_timeout": 1.0})

    tree.wait("worker_hung")
    tree.wait("worker_ready", count=2)
    tree.wait("worker_died")

    dumped = "".join(line["trace"] for line in tree.seen("stacks_dumped"))
    assert "in holds_the_interpreter" in dumped
    assert "in innocent" in dumped
    restored = tree.wait_store(verb="restore")
    assert (
        restored["charged"] == {}
    )  # nobody had a limit: which of the two holds it cannot be known
    assert len(restored["suspects"]) == 2


def test_a_stopped_worker_is_killed(tree):
    tree = tree(IDLE, processes=1, settings={"hang_timeout": 1.0})
    worker = tree.wait("worker_ready")["pid_"]

    os.kill(worker, signal.SIGSTOP)

    tree.wait("worker_killed", pid_=worker)
    tree.wait("worker_ready", count=2)


def test_a_condemned_process_lets_the_others_finish_and_charges_nobody_else(tree, tmp_path):
    app = f"""{HEAD}
def endless():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

kit = Kit(innocent, *([endless] if first_to("guilty") else []))
"""
    tree = tree(app)

    condemned = tree.wait("worker_condemned")
    tree.wait("worker_ready", count=3)  # its replacement does not wait
    assert tree.seen("worker_died") == []
    (tmp_path / "enough").touch()

    died = tree.wait("worker_died")
    assert died["running"] == 1
    restored = tree.wait_store(verb="restore")
    assert list(restored["charged"]) == [condemned["tasks"]]
    assert restored["suspects"] == []


def test_siblings_of_a_condemned_task_get_their_grace_and_no_more(tree):
    app = f"""{HEAD}
def endless():
    time.sleep(600)

kit = Kit(innocent, *([endless] if first_to("guilty") else []))
"""
    tree = tree(app, settings={"condemn_grace": 0.5})

    tree.wait("worker_killed")

    restored = tree.wait_store(verb="restore")
    assert len(restored["charged"]) == 1
    assert restored["suspects"] == []


def test_a_tree_that_was_stopped_as_a_whole_goes_on(tree):
    """Seen to kill every worker as hung without the look at the supervisor's own gap."""
    tree = tree(IDLE, settings={"hang_timeout": 2.0, "lease_ttl": 3.0})
    tree.wait("supervisor_ready")
    tree.wait("worker_ready", count=2)

    pids = tree.session()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    tree.sleep(6.0)  # longer than anything is patient for; nothing can be waited for
    for pid in sorted(pids):
        os.kill(pid, signal.SIGCONT)

    tree.wait("clock_gap")
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0
    assert tree.seen("worker_hung") == []
