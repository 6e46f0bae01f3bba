"""What a fake service manager hears of a whole life."""

import os
import signal
import time

import pytest

from tests.processes.apps import BUSY, HEAD, IDLE
from tests.processes.manager import Manager


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path / "notify")


def test_a_whole_life(tree, manager, tmp_path):
    tree = tree(BUSY, environ={"NOTIFY_SOCKET": manager.address})
    manager.wait("READY=1")
    manager.wait(r"STATUS=2 wanted: 2 ready")

    tree.signal(signal.SIGHUP)
    reloading = manager.wait("RELOADING=1\nMONOTONIC_USEC=\\d+$")
    (tmp_path / "enough").touch()
    tree.wait("roll_finished")
    manager.wait("READY=1", since=reloading)

    (tmp_path / "enough").unlink()
    tree.signal(signal.SIGTERM)
    manager.wait("STOPPING=1")
    (tmp_path / "enough").touch()
    tree.exit()

    words = manager.words()
    assert words[0] == "READY=1"
    assert words[1].startswith("RELOADING=1")
    assert words[2:4] == ["READY=1", "STOPPING=1"]
    assert set(words[4:]) <= {"EXTEND_TIMEOUT_USEC=5000000"}


def test_a_failed_reload_ends_the_reloading_too(tree, manager):
    tree = tree(IDLE, environ={"NOTIFY_SOCKET": manager.address})
    manager.wait("READY=1")
    tree.wait("worker_ready", count=2)
    tree.write_app("1 / 0")

    tree.signal(signal.SIGHUP)

    reloading = manager.wait("RELOADING=1")
    manager.wait("READY=1", since=reloading)


def test_more_time_is_asked_for_while_draining(tree, manager):
    tree = tree(BUSY, settings={"drain_timeout": 2.5}, environ={"NOTIFY_SOCKET": manager.address})
    manager.wait("READY=1")
    tree.wait("worker_ready", count=2)

    tree.signal(signal.SIGTERM)

    assert tree.exit() == 124
    assert manager.words().count("EXTEND_TIMEOUT_USEC=5000000") == 3


def watched(tree, manager, app=IDLE, **config):
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "300000"}
    tree = tree(app, environ=environ, **config)
    manager.wait("WATCHDOG=1")
    return tree


def is_fed(manager, within):
    """Whether the watchdog is fed again once what was under way has passed."""
    since = time.monotonic() + within
    return any(m > since for m, d in waited(manager, since + 1.0) if d == "WATCHDOG=1")


def waited(manager, until):
    time.sleep(max(0.0, until - time.monotonic()))  # for something that must not come
    return list(manager.told)


def test_a_frozen_keeper_stops_the_watchdog(tree, manager):
    tree = watched(tree, manager, settings={"lease_ttl": 12.0})
    keeper = tree.wait("keeper_ready")["pid"]

    os.kill(keeper, signal.SIGSTOP)

    assert not is_fed(manager, within=6.3)  # silent for half a lease; replaced after two thirds
    frozen = time.monotonic()
    tree.wait("keeper_ready", count=2)
    manager.wait("WATCHDOG=1", since=frozen)


def test_workers_that_all_hang_stop_the_watchdog(tree, manager):
    tree = watched(tree, manager, settings={"lease_ttl": 4.0})

    for pid in tree.workers():
        os.kill(pid, signal.SIGSTOP)

    assert not is_fed(manager, within=2.3)
    for pid in tree.workers():
        os.kill(pid, signal.SIGCONT)


def test_a_store_outage_does_not_stop_the_watchdog(tree, manager, tmp_path):
    tree = watched(tree, manager, settings={"lease_ttl": 4.0})

    (tmp_path / "outage").touch()
    tree.wait("store_down")

    assert is_fed(manager, within=3.0)


def test_children_do_not_speak_to_the_manager(tree, manager, tmp_path):
    app = f"""{HEAD}
open(FOLDER + "/environ", "w").write(repr(dict(os.environ)))
kit = Kit()
"""
    tree(app, environ={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "300000"})
    manager.wait("READY=1")

    environ = (tmp_path / "environ").read_text()
    assert "NOTIFY_SOCKET" not in environ
    assert "WATCHDOG" not in environ
