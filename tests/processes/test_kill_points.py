"""Death, and lost replies, at each moment that matters: before a verb of the store, and after its commit."""

import random
import signal
import time

import pytest

from taskkitx.task import TaskState
from tests.processes.ledger import APP, DYING_APP
from tests.processes.points import LOST_REPLIES, POINTS
from tests.processes.promises import (
    Ledger,
    assert_kept_every_promise,
    feed,
    finish,
    wait_attempts,
)
from tests.processes.stores import on_stores


def feed_and_stop_one(tree, kit, generator):
    """A worker drains while it has stock to be given back; a reload would wait for its successor first."""
    ids = feed(kit, generator, 300)
    tree.signal(signal.SIGTTOU)
    tree.sleep(0.3)
    tree.signal(signal.SIGTTIN)
    return ids


def leave_out_purging(store, folder):
    """Keepers purge once a minute: that is waited for on one store, and no other."""
    if not store.startswith("sqlite"):
        for point in ("purge before", "purge after"):
            (folder / point).touch()


@on_stores
@pytest.mark.timeout(180)
def test_death_at_any_moment_loses_nothing_and_repeats_only_what_was_not_written(
    tree, kit, store, tmp_path
):
    """Seen to run an attempt twice with claims that do not count attempts."""
    leave_out_purging(store, tmp_path)
    tree = tree(
        DYING_APP,
        toy=False,
        backend="Dying",
        processes=3,
        groups={"default": 4},
        settings={"poll_interval": 0.2, "reconcile_interval": 1.0, "lease_ttl": 6.0},
    )
    tree.wait("supervisor_started")
    generator = random.Random(7)
    ids: list[str] = []
    deadline = time.monotonic() + 120  # retention comes by once a minute

    # When processes die at every moment, once each, while tasks come in and workers are replaced
    while missing := [point for point in POINTS if not (tmp_path / point).exists()]:
        assert time.monotonic() < deadline, missing
        ids += feed_and_stop_one(tree, kit, generator)
        tree.signal(signal.SIGHUP)

    # Then everything succeeds, nobody is blamed, and what was written is not repeated
    finish(kit, ids)
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0
    ledger = Ledger(tmp_path / "ledger")
    assert_kept_every_promise(kit, ids, ledger)
    records = kit.backend.get_many(ids).values()
    assert {record.task.crashes for record in records} == {0}
    assert not tree.seen("outcomes_refused")


@on_stores
@pytest.mark.timeout(180)
def test_replies_that_are_lost_lose_nothing_and_repeat_nothing(tree, kit, store, tmp_path):
    """Seen to leave tasks running for ever without reconciling, and to run a finished one again where a finish is
    asked for a second time and refused."""
    leave_out_purging(store, tmp_path)
    tree = tree(
        APP,
        toy=False,
        backend="Losing",
        processes=2,
        groups={"default": 4},
        settings={"poll_interval": 0.2, "reconcile_interval": 1.0, "lease_ttl": 6.0},
    )
    tree.wait("supervisor_started")
    generator = random.Random(8)
    ids: list[str] = []
    deadline = time.monotonic() + 120  # retention comes by once a minute

    while missing := [point for point in LOST_REPLIES if not (tmp_path / point).exists()]:
        assert time.monotonic() < deadline, missing
        tree.sleep(0.3)
        ids += feed(kit, generator, 100)
        if not (tree.seen("reconciled") or (tmp_path / "release after").exists()):
            continue  # the next steps would take back what a lost claim has left
        if "restore after" in missing and tree.workers():
            tree.kill(tree.workers()[0])
        tree.signal(signal.SIGHUP)

    finish(kit, ids)
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0
    assert_kept_every_promise(kit, ids, Ledger(tmp_path / "ledger"))
    refused = ", ".join(line["tasks"] for line in tree.seen("outcomes_refused"))
    names = {record.task.name for record in kit.backend.get_many(refused.split(", ")).values()}
    assert names <= {"boom"}  # by then its retry may have been claimed by somebody else


def test_suspects_whose_restoring_was_not_heard_of_get_their_lane_at_once(tree, kit, tmp_path):
    """Seen to wait for the next look for suspects of other hosts, a minute later."""
    for point in LOST_REPLIES:
        if point != "restore after":
            (tmp_path / point).touch()
    tree = tree(APP, toy=False, backend="Losing", processes=1, groups={"default": 2})
    waiting = {"group": "default", "name": "wait", "data": {"file": "enough"}}
    ids = [result.id for result in kit.initiate_tasks(waiting, waiting)]
    wait_attempts(kit, ids, 1)

    tree.kill(tree.workers()[0])
    (tmp_path / "enough").touch()

    tree.wait("worker_started", role="solo lane")
    assert (tmp_path / "restore after").exists()
    finish(kit, ids)


def test_what_ran_at_most_once_does_not_run_again_although_its_outcome_is_not_written(
    tree, kit, tmp_path
):
    """Seen to run twice with the slot given up as soon as the handler has returned."""
    for point in POINTS:
        if point != "finish before":
            (tmp_path / point).touch()
    tree = tree(DYING_APP, toy=False, backend="Dying", processes=1, groups={"default": 2})
    limits = {"_limits": {"at_most_once": True}}

    once = kit.initiate_task("default", "noop", limits)

    finish(kit, [once.id])
    record = kit.backend.get_many([once.id])[once.id]
    assert record.state is TaskState.FAILED
    assert "SIGKILL" in record.error
    assert Ledger(tmp_path / "ledger").attempts(once.id) == [1]
