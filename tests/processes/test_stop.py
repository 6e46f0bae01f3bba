"""Every way to stop a supervisor ends it, in time, with the documented exit code, leaving nothing behind."""

import signal
import subprocess
import sys
import time

import pytest

from tests.processes.apps import BUSY, HEAD, IDLE
from tests.processes.promises import assert_nothing_left
from tests.processes.tree import ROOT


def is_ready(tree):
    tree.wait("supervisor_ready")
    tree.wait("worker_ready", count=tree.config["processes"])
    return tree


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_tree_stops_at_once_and_cleanly(tree, number):
    tree = is_ready(tree(IDLE))

    tree.signal(number)

    assert tree.exit() == 0
    assert_nothing_left(tree)


def test_a_drain_waits_for_what_runs(tree, tmp_path):
    tree = is_ready(tree(BUSY))

    tree.signal(signal.SIGTERM)
    tree.wait("stop_requested")
    assert tree.process.poll() is None
    (tmp_path / "enough").touch()

    assert tree.exit() == 0
    assert len(tree.seen("worker_ended", reason="the supervisor stops")) == 2
    assert_nothing_left(tree)


def test_the_end_of_the_drain_kills_and_says_so(tree):
    tree = is_ready(tree(BUSY, settings={"drain_timeout": 0.5}))

    tree.signal(signal.SIGTERM)

    assert tree.exit() == 124
    assert len(tree.seen("worker_killed")) == 2
    assert_nothing_left(tree)


def test_the_second_signal_shortens_the_drain(tree, tmp_path):
    tree = is_ready(tree(BUSY, settings={"drain_timeout": 0}))

    tree.signal(signal.SIGTERM)
    tree.wait("stop_requested")
    time.sleep(0.6)  # within half a second signals count as one
    tree.signal(signal.SIGINT)

    assert tree.exit() == 124
    assert_nothing_left(tree)


@pytest.mark.parametrize("before", [0, 1])
def test_quit_kills_at_once(tree, before):
    tree = is_ready(tree(BUSY, settings={"drain_timeout": 0}))

    for _ in range(before):
        tree.signal(signal.SIGTERM)
    tree.signal(signal.SIGQUIT)

    assert tree.exit(timeout=10) == 124
    assert_nothing_left(tree)


def test_fifty_signals_in_a_second_end_in_one_stop(tree):
    tree = is_ready(tree(BUSY, settings={"drain_timeout": 0}))

    for _ in range(50):
        if tree.process.poll() is None:
            tree.signal(signal.SIGTERM)
        time.sleep(0.02)

    assert tree.exit(timeout=15) == 124
    assert_nothing_left(tree)


def test_all_kinds_of_stop_signals_in_a_row_end_in_one_stop(tree):
    tree = is_ready(tree(BUSY, settings={"drain_timeout": 0}))
    kinds = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGUSR2]

    for round_ in range(50):
        if tree.process.poll() is None:
            tree.signal(kinds[round_ % len(kinds)])
        time.sleep(0.02)

    assert tree.exit(timeout=15) == 124
    assert_nothing_left(tree)


def test_a_stop_while_the_store_is_away_ends(tree, tmp_path):
    """Seen to hang with a keeper that is waited for until the store has answered it."""
    tree = is_ready(tree(BUSY, settings={"drain_timeout": 0.5}))
    (tmp_path / "outage").touch()

    tree.signal(signal.SIGTERM)

    assert tree.exit(timeout=15) == 124
    assert_nothing_left(tree)


def test_a_signal_that_comes_after_the_end_changes_no_exit_code():
    """Seen to end with -15 where the signals' defaults are restored before the process ends."""
    program = """
import atexit, os, signal, sys
atexit.register(os.kill, os.getpid(), signal.SIGTERM)
from taskkitx.supervisor.signals import Inbox
Inbox().close(for_good=True)
sys.exit(124)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 124


@pytest.mark.parametrize("endless", ["time.sleep(600)", "sum(range(10**13))"])
def test_a_stop_during_boot_does_not_wait_for_the_import(tree, endless):
    """Seen to hang for as long as C code, or a sleep that began at the wrong moment, keeps Python from its handlers."""
    tree = tree(f"{HEAD}\nfirst_to(f'importing {{os.getpid()}}')\n{endless}")
    tree.wait("worker_started", count=2)
    for worker in tree.workers():
        tree.wait_file(f"importing {worker}")

    tree.signal(signal.SIGTERM)

    assert tree.exit(timeout=10) == 0
    assert len(tree.seen("worker_ended")) == 2
    assert_nothing_left(tree)


def test_a_stop_at_any_moment_of_the_start_is_heard(tree, tmp_path):
    """Seen to hang and to leave workers with signals not blocked across the fork."""
    for round_ in range(20):
        made = tree(IDLE, processes=4)
        made.wait("supervisor_started")
        time.sleep(0.005 * round_ / 20)

        made.signal(signal.SIGTERM)

        assert made.exit(timeout=10) == 0, made.text
        assert_nothing_left(made)


def test_a_stopped_log_reader_does_not_hold_up_the_stop(tree):
    """Seen to hang with blocking writes."""
    tree = is_ready(tree(IDLE))
    tree.reading.clear()

    for _ in range(200):  # each a line of a kilobyte, into a pipe of 64
        tree.signal(signal.SIGUSR2)
        time.sleep(0.005)
    tree.signal(signal.SIGTERM)

    assert tree.process.wait(timeout=10) == 0
    tree.reading.set()


def test_killing_the_supervisor_ends_everything(tree, tmp_path):
    """Seen to take until the keeper kills the workers, after 15 seconds, where the kernel does not tell them."""
    tree = is_ready(tree(BUSY))

    tree.signal(signal.SIGKILL)
    tree.wait("supervisor_lost")
    (tmp_path / "enough").touch()

    tree.exit(timeout=12)
    assert tree.session() == set()


def test_workers_of_a_killed_supervisor_do_not_drain_for_ever(tree):
    """Seen to take until the keeper kills them where they do not set themselves a limit of 10 seconds."""
    tree = is_ready(tree(BUSY))

    tree.signal(signal.SIGKILL)

    tree.exit(timeout=14)
    assert tree.session() == set()
