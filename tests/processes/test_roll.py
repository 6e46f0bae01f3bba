"""Rolling restarts, resizing, recycling: the new worker is ready before the old one goes."""

import os
import random
import signal
from importlib.util import find_spec

import pytest

from taskkitx.supervisor.probe import ask
from tests.processes.apps import BUSY, HEAD, IDLE
from tests.processes.ledger import APP
from tests.processes.promises import (
    Ledger,
    assert_kept_every_promise,
    assert_nothing_left,
    feed,
    finish,
)


def ready(tree):
    tree.wait("supervisor_ready")
    tree.wait("worker_ready", count=tree.config["processes"])
    return tree


def test_a_reload_replaces_every_worker_one_by_one(tree):
    tree = ready(tree(IDLE, processes=3))
    old = set(tree.workers())

    tree.signal(signal.SIGHUP)
    tree.wait("roll_finished")

    assert old.isdisjoint(tree.workers())
    order = [
        line["event"] for line in tree.lines if line["event"] in ("worker_ready", "worker_drains")
    ]
    assert order[3:] == ["worker_ready", "worker_drains"] * 3


@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os._exit(5)", "exited with code 5"),
        ("import time; time.sleep(600)", "not ready"),
    ],
)
def test_a_reload_with_broken_code_keeps_the_old_workers(tree, app, why):
    tree = ready(tree(IDLE, settings={"boot_timeout": 1.0}))
    old = set(tree.workers())
    tree.write_app(app)

    tree.signal(signal.SIGHUP)

    assert why in tree.wait("roll_aborted")["reason"]
    tree.sleep(1.0)  # long enough to see that nothing else is tried
    assert set(tree.workers()) == old
    assert tree.seen("worker_drains") == []


def test_after_fifty_reloads_nothing_has_leaked(tree):
    tree = ready(tree(IDLE, processes=1))
    keeper = tree.wait("keeper_ready")["pid"]
    before = [handles(tree.pid), handles(keeper)]

    for round_ in range(50):
        tree.signal(signal.SIGHUP)
        tree.wait("roll_finished", count=1 + round_)

    assert [handles(tree.pid), handles(keeper)] == before
    assert len(tree.session()) == 3


def test_reloads_under_load_lose_nothing_and_leave_no_gap(tree, kit, tmp_path):
    """Seen to have a worker too few with the old one drained before the new one is ready."""
    tree = tree(APP, toy=False, processes=3, groups={"default": 4}, settings={"poll_interval": 0.2})
    ready(tree)
    generator, ids = random.Random(1), []

    for round_ in range(5):
        tree.signal(signal.SIGHUP)
        while len(tree.seen("roll_finished")) <= round_:
            ids += feed(kit, generator, 30)
            tree.sleep(0.02)

    finish(kit, ids)
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))
    at_work, least = 0, 3
    for line in tree.lines[tree.lines.index(tree.wait("roll_started")) :]:
        at_work += {"worker_ready": 1, "worker_drains": -1}.get(line["event"], 0)
        least = min(least, 3 + at_work)
    assert least == 3


def handles(pid):
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def test_a_stop_in_the_middle_of_a_reload_stops(tree):
    tree = ready(tree(BUSY, processes=3, settings={"drain_timeout": 0.5}))

    tree.signal(signal.SIGHUP)
    tree.wait("worker_drains")
    tree.signal(signal.SIGTERM)

    assert tree.exit() == 124
    assert_nothing_left(tree)


def test_a_stop_while_the_new_worker_of_a_reload_boots_stops(tree):
    tree = ready(tree(IDLE, processes=3))
    tree.write_app("import time\ntime.sleep(600)")

    tree.signal(signal.SIGHUP)
    tree.wait("worker_started", count=4)
    tree.signal(signal.SIGTERM)

    assert tree.exit() == 0
    assert_nothing_left(tree)


@pytest.mark.skipif(find_spec("watchfiles") is None, reason="needs watchfiles")
def test_code_that_changes_is_reloaded(tree, tmp_path):
    tree = ready(tree(IDLE, reload=[str(tmp_path)]))
    old = set(tree.workers())
    tree.sleep(0.5)  # the watcher says nothing when it begins to watch

    tree.write_app(BUSY)

    tree.wait("roll_finished")
    assert old.isdisjoint(tree.workers())
    (tmp_path / "enough").touch()
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0


def test_a_reload_without_its_library_says_what_to_install(tree, tmp_path):
    (tmp_path / "watchfiles.py").write_text("raise ImportError('not here')")

    tree = tree(IDLE, reload=[str(tmp_path)])

    assert tree.exit() == 78
    assert "pip install 'taskkitx[reload]'" in tree.wait("boot_refused")["reason"]


def test_one_more_and_one_fewer(tree):
    tree = ready(tree(IDLE))

    tree.signal(signal.SIGTTIN)
    tree.wait("worker_ready", count=3)
    tree.signal(signal.SIGTTOU)
    tree.wait("worker_ended", reason="one process fewer is wanted")

    assert len(tree.workers()) == 2


def test_there_is_always_one(tree):
    tree = ready(tree(IDLE, processes=1))

    tree.signal(signal.SIGTTOU)

    tree.wait("signal_refused")
    assert len(tree.workers()) == 1


def test_a_worker_is_replaced_after_its_tasks(tree):
    app = f"{HEAD}\ndef quick(): pass\nkit = Kit(quick, quick)"
    tree = tree(app, processes=1, settings={"max_tasks": 2})

    recycled = tree.wait("recycle")
    ended = tree.wait("worker_ended", pid_=recycled["pid_"])

    assert "max_tasks" in recycled["reason"]
    assert tree.lines.index(tree.wait("worker_ready", count=2)) < tree.lines.index(ended)


def test_a_worker_is_replaced_when_it_is_old(tree):
    tree = tree(IDLE, processes=1, settings={"max_age": 1.0})

    assert "max_age" in tree.wait("recycle")["reason"]
    tree.wait("worker_ready", count=2)


def test_a_worker_that_has_grown_is_replaced_and_the_task_is_named(tree):
    app = f"""{HEAD}
def leak():
    if first_to("leaked"):
        time.sleep(1.5)  # a first look at the memory comes before
        held.append(bytearray(os.urandom(1024)) * (64 << 10))
        innocent()

held = []
kit = Kit(leak)
"""
    tree = tree(app, processes=1, settings={"max_rss": 80 << 20})

    recycled = tree.wait("recycle")

    assert "max_rss" in recycled["reason"]
    tree.wait("worker_ready", count=2)
    info = tree.wait_store(verb="renew", recycled={"leak": 1})
    assert info


def test_a_worker_that_has_grown_far_too_large_is_killed_and_its_tasks_run_alone(tree):
    """What needs that much memory would otherwise be killed again and again."""
    app = f"""{HEAD}
def leak():
    if first_to("leaked"):
        held.append(bytearray(os.urandom(1024)) * (128 << 10))
        innocent()

held = []
kit = Kit(leak, innocent)
"""
    tree = tree(app, processes=1, settings={"max_rss": 50 << 20})

    assert "far beyond max_rss" in tree.wait("worker_killed")["reason"]
    tree.wait("worker_ready", count=2)
    restored = tree.wait_store(verb="restore")
    assert restored["charged"] == {}
    assert restored["suspects"]


def test_a_probe_is_answered(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path / "run"))
    ready(tree(IDLE, instance="mail"))

    answer = ask("mail")

    assert answer["healthy"]
    assert [worker["state"] for worker in answer["workers"]] == ["ready", "ready"]
    assert ask(None)["pid"] == answer["pid"]


def test_a_probe_without_a_supervisor_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path))

    with pytest.raises(LookupError, match="no supervisor"):
        ask(None)
    with pytest.raises(LookupError, match="'mail'"):
        ask("mail")


def test_a_probe_of_a_stopped_supervisor_says_so(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path / "run"))
    tree = ready(tree(IDLE, instance="mail"))
    tree.signal(signal.SIGSTOP)

    with pytest.raises(LookupError, match="does not answer"):
        ask("mail", timeout=0.1)


def test_what_a_killed_supervisor_left_does_not_confuse_a_probe(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path / "run"))
    killed = ready(tree(IDLE))
    killed.signal(signal.SIGKILL)
    killed.exit()

    survivor = ready(tree(IDLE))

    assert ask(None)["pid"] == survivor.pid


def test_orphans_of_a_worker_are_reaped(tree):
    """Seen to leave zombies when only the supervisor's own children are waited for."""
    app = f"""{HEAD}
import subprocess
def leaves_an_orphan():
    subprocess.run(["sh", "-c", "sleep 0.2 & exit 0"])

kit = Kit(leaves_an_orphan)
"""
    tree = tree(app, processes=1, environ={"TASKKITX_LOG_LEVEL": "debug"})

    tree.wait("orphan_reaped")


def test_the_state_is_dumped_on_request(tree):
    tree = ready(tree(BUSY))

    tree.signal(signal.SIGUSR2)

    state = tree.wait("state_dump")["state"]
    assert len(state["workers"]) == 2
    assert state["keeper"]["ready"]
