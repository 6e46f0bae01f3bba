"""The slot table says what a worker's threads run, and keeps saying it when the worker is dead."""

import os
import signal
import threading

import pytest

from taskkitx.supervisor import slots as slots_module
from taskkitx.supervisor.slots import RegionState, SharedSlots, SlotTable
from taskkitx.task import Task


@pytest.fixture
def table():
    table = SlotTable(3)
    yield table
    table.close()


@pytest.fixture
def region(table):
    region = table.free()
    region.occupy("wk_1", solo=False)
    return region


def test_a_running_task_is_seen_with_its_thread(region):
    slots = SharedSlots(region, threads=4)
    task = Task.init("default", "resize", b"")

    slots.run(2, task, deadline=0.0)

    (running,) = region.running()
    assert (running.thread, running.task_id, running.name) == (2, task.id, "resize")
    assert running.ident == threading.get_ident()
    assert not running.condemned


def test_a_finished_task_is_not_seen(region):
    slots = SharedSlots(region, threads=4)
    slots.run(0, Task.init("default", "a", b""), 0.0)

    slots.done(0)

    assert region.running() == []


def test_a_condemned_task_stays_condemned_until_it_ends(region):
    slots = SharedSlots(region, threads=2)
    slots.run(0, Task.init("default", "a", b""), deadline=5.0)
    slots.run(1, Task.init("default", "b", b""), deadline=0.0)

    slots.condemn(0)

    assert [running.condemned for running in region.running()] == [True, False]
    assert region.condemned > 0
    slots.done(0)
    assert [running.name for running in region.running()] == ["b"]


def test_an_idle_thread_cannot_be_condemned(region):
    slots = SharedSlots(region, threads=1)

    slots.condemn(0)

    assert region.running() == []


def test_ids_and_names_too_long_for_a_slot_are_cut_between_characters(region):
    slots = SharedSlots(region, threads=1)
    task = Task.init("グ" * 40, "名" * 255, b"")

    slots.run(0, task, 0.0)

    (running,) = region.running()
    assert running.task_id == task.id
    assert running.name == "名" * 66


def test_what_a_killed_process_ran_is_still_there(region):
    # Given a child that runs a task
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        SharedSlots(region, threads=8).run(5, Task.init("default", "doomed", b""), 0.0)
        os.write(write, b"!")
        signal.pause()
    os.read(read, 1)

    # When it is killed
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    # Then its slot says what it ran
    assert [(running.thread, running.name) for running in region.running()] == [(5, "doomed")]
    os.close(read)
    os.close(write)


def test_half_a_slot_is_an_empty_one(region, monkeypatch):
    """Seen to fail with the phase packed together with the rest instead of written after it."""
    slots = SharedSlots(region, threads=1)
    seen = []
    whole = slots_module._SLOT

    class HalfWay:
        def pack_into(self, *values):
            whole.pack_into(*values)
            seen.append(region.running())

    monkeypatch.setattr(slots_module, "_SLOT", HalfWay())
    slots.run(0, Task.init("default", "a", b""), 0.0)
    monkeypatch.undo()

    assert seen == [[]]
    assert [running.name for running in region.running()] == ["a"]


def test_a_new_worker_finds_a_clean_region(region):
    SharedSlots(region, threads=4).run(3, Task.init("default", "old", b""), 0.0)
    region.finished, region.condemned, region.registered = 7, 1.0, 1

    region.occupy("wk_2", solo=True)
    SharedSlots(region, threads=4)

    assert region.running() == []
    assert (region.worker_id, region.solo) == ("wk_2", 1)
    assert (region.finished, region.condemned, region.registered) == (0, 0.0, 0)


def test_regions_are_given_out_until_none_is_free(table):
    for number in range(3):
        table.free().occupy(f"wk_{number}", solo=False)

    assert table.free() is None
    assert [region.worker_id for region in table.alive()] == ["wk_0", "wk_1", "wk_2"]
    table.regions[1].state = RegionState.FREE
    assert table.free() is table.regions[1]


def test_the_thread_that_ends_the_process_leaves_its_number(region):
    slots = SharedSlots(region, threads=3)
    slots.run(0, Task.init("default", "innocent", b""), 0.0)

    def guilty():
        slots.run(2, Task.init("default", "guilty", b""), 0.0)
        region.stamp_exit()

    thread = threading.Thread(target=guilty)
    thread.start()
    thread.join()

    assert region.exit_thread == 3  # counted from 1
