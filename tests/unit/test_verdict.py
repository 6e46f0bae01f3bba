"""Who is charged with a worker's death, who is a suspect, and who is innocent."""

import signal

import pytest

from taskkitx.supervisor.slots import RunningTask
from taskkitx.supervisor.verdict import Death, crash_tail, crashed_ident, judge
from taskkitx.worker.slots import IfLost

CRASH = """Fatal Python error: Segmentation fault

Thread 0x00007f0000000003 (most recent call first):
  File "app.py", line 1 in innocent

Current thread 0x00007f0000000002 (most recent call first):
  File "app.py", line 9 in guilty
  File "threading.py", line 982 in run

Extension modules: a, b (total: 2)
"""


def running(thread, *, deadline=0.0, condemned=False, if_lost=IfLost.NOTHING):
    return RunningTask(
        thread=thread,
        task_id=f"default_{thread}",
        name=f"task {thread}",
        attempt=1,
        ident=0x7F0000000000 + thread,
        started=0.0,
        deadline=deadline,
        condemned=condemned,
        if_lost=if_lost,
    )


EIGHT = [running(thread) for thread in range(8)]


def guilty(death, tasks=EIGHT, crash_text=""):
    verdict = judge(death, tasks, crash_text)
    return sorted(verdict.charged), sorted(verdict.suspects)


def everybody(tasks):
    return sorted(task.task_id for task in tasks)


@pytest.mark.parametrize(
    "number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT]
)
def test_the_thread_of_the_crash_file_is_charged_alone(number):
    assert guilty(Death(signal=number), crash_text=CRASH) == (["default_2"], [])


@pytest.mark.parametrize("death", [Death(signal=signal.SIGSEGV), Death(deliberate=True)])
def test_an_innocent_that_must_not_run_twice_is_told(death):
    """Seen to run such a task again, as if it had never been started."""
    tasks = [running(1, if_lost=IfLost.TELL), running(2), running(3)]

    verdict = judge(death, tasks, CRASH)

    assert list(verdict.told) == ["default_1"]
    assert not verdict.told["default_1"].alone
    assert "default_1" not in {*verdict.charged, *verdict.suspects}


def test_who_is_accused_is_not_told_besides():
    verdict = judge(Death(signal=signal.SIGKILL), [running(1, if_lost=IfLost.TELL), running(2)])

    assert (sorted(verdict.suspects), verdict.told) == (["default_1", "default_2"], {})


def test_the_last_crash_is_charged_as_such():
    tasks = [running(1), running(2, if_lost=IfLost.LAST)]

    assert not judge(Death(signal=signal.SIGSEGV), tasks, CRASH).charged["default_2"].again
    assert judge(Death(exit_thread=1), tasks).charged["default_1"].again


def test_the_charge_tells_cause_and_stack():
    lost = judge(Death(signal=signal.SIGSEGV), EIGHT, CRASH).charged["default_2"]

    assert lost.cause == "its worker was killed by signal 11 (SIGSEGV)"
    assert lost.trace.startswith("Fatal Python error: Segmentation fault\nCurrent thread")
    assert "line 9 in guilty" in lost.trace
    assert "innocent" not in lost.trace


def test_a_crash_in_a_thread_without_a_task_makes_suspects():
    text = CRASH.replace("0x00007f0000000002", "0x00007f00000000ff")

    assert guilty(Death(signal=signal.SIGSEGV), crash_text=text) == ([], everybody(EIGHT))


def test_an_older_crash_in_the_file_proves_nothing_about_a_kill():
    assert guilty(Death(signal=signal.SIGKILL), crash_text=CRASH) == ([], everybody(EIGHT))


@pytest.mark.parametrize("code", [0, 3])
def test_the_thread_that_stamped_its_exit_is_charged_alone(code):
    assert guilty(Death(exit_code=code, exit_thread=4)) == (["default_4"], [])


def test_a_kill_without_a_name_makes_suspects_of_all_that_ran():
    assert guilty(Death(signal=signal.SIGKILL)) == ([], everybody(EIGHT))


def test_an_exit_without_a_name_makes_suspects():
    assert guilty(Death(exit_code=1)) == ([], everybody(EIGHT))


def test_who_runs_alone_is_guilty():
    assert guilty(Death(exit_code=1), EIGHT[:1]) == (["default_0"], [])


def test_a_kill_from_outside_beside_idle_threads_proves_nothing():
    assert guilty(Death(signal=signal.SIGKILL), EIGHT[:1]) == ([], ["default_0"])


def test_in_the_solo_lane_even_a_kill_is_proof():
    assert guilty(Death(signal=signal.SIGKILL, solo=True), EIGHT[:1]) == (["default_0"], [])


def test_a_deliberate_kill_charges_nobody():
    assert guilty(Death(signal=signal.SIGKILL, deliberate=True)) == ([], [])


def test_a_condemned_task_is_charged_and_its_siblings_are_not():
    tasks = [*EIGHT[:3], running(3, deadline=5.0, condemned=True)]

    verdict = judge(Death(signal=signal.SIGKILL, deliberate=True), tasks)

    assert verdict.charged["default_3"].cause == "exceeded its timeout of 5 s"
    assert everybody(tasks[3:]) == list(verdict.charged)
    assert verdict.suspects == {}


def test_two_condemned_tasks_are_both_charged():
    tasks = [running(0, deadline=1.0, condemned=True), running(1, deadline=2.0, condemned=True)]

    assert guilty(Death(exit_code=70), tasks) == (["default_0", "default_1"], [])


def test_a_segfault_beside_a_condemned_task_charges_both():
    tasks = [running(2), running(3, deadline=5.0, condemned=True)]

    assert guilty(Death(signal=signal.SIGSEGV), tasks, CRASH) == (["default_2", "default_3"], [])


def test_a_hang_charges_the_only_one_beyond_its_own_deadline():
    tasks = [running(0), running(1, deadline=50.0), running(2, deadline=500.0)]

    assert guilty(Death(signal=signal.SIGABRT, hung=120.0, moment=100.0), tasks, CRASH) == (
        ["default_1"],
        [],
    )


def test_a_hang_with_several_beyond_their_deadlines_makes_suspects():
    tasks = [running(0, deadline=40.0), running(1, deadline=50.0)]

    assert guilty(Death(signal=signal.SIGKILL, hung=120.0, moment=100.0), tasks) == (
        [],
        everybody(tasks),
    )


def test_a_death_without_a_running_task_charges_nobody():
    assert guilty(Death(signal=signal.SIGSEGV), [], CRASH) == ([], [])


def test_the_last_of_two_crashes_counts():
    second = CRASH.replace("0x00007f0000000002", "0x00007f0000000005")

    assert crashed_ident(CRASH + second) == 0x7F0000000005
    assert "0x00007f0000000002" not in crash_tail(CRASH + second)


def test_a_tail_is_bounded():
    assert len(crash_tail(CRASH + "x" * 100_000, limit=500)) == 500


@pytest.mark.parametrize(
    ("death", "words"),
    [
        (Death(signal=9), "was killed by signal 9 (SIGKILL)"),
        (Death(signal=64), "was killed by signal 64"),
        (Death(exit_code=3), "exited with code 3"),
        (Death(hung=120.0, signal=6), "was silent for 120 s and was killed"),
    ],
)
def test_a_death_in_words(death, words):
    assert words in death.how
