"""`kit.start` and `kit.start_processes` in a program of the user's own."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.processes.tree import PATIENCE, ROOT

PROGRAM = """
import os, sys, threading, time
from tests.processes.ledger import make
kit = make(os.environ["TEST_FOLDER"])
"""


@pytest.fixture
def run(tmp_path):
    """Run a program; what it starts is killed in the end."""
    processes = []

    def run(program):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + textwrap.dedent(program)],
            cwd=ROOT,
            env={
                **os.environ,
                "TEST_FOLDER": str(tmp_path),
                "TASKKITX_RUN_DIR": str(tmp_path / "run"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all gone, as it should be
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def said(process):
    """Everything it wrote, once it has ended."""
    output, _ = process.communicate(timeout=PATIENCE)
    return output


def test_a_program_that_starts_its_kit_runs_tasks_and_stops_on_term(run, kit):
    program = run('kit.start(2, {"default": 2})')

    assert kit.initiate_task("default", "noop", {}).get(timeout=PATIENCE) == 1

    program.send_signal(signal.SIGTERM)
    output = said(program)
    assert program.returncode == 0, output
    assert "SIGTERM: stops claiming" in output


def test_what_stands_around_the_start_is_not_run_in_children(run, kit, tmp_path):
    program = run(
        """
        import atexit
        atexit.register(print, "farewell")
        try:
            kit.start(3, {"default": 2})
        finally:
            print("the very end", flush=True)
        """
    )
    assert kit.initiate_task("default", "noop", {}).get(timeout=PATIENCE) == 1

    program.send_signal(signal.SIGTERM)

    output = said(program)
    assert output.count("the very end") == 1
    assert output.count("farewell") == 1


def test_a_backend_used_before_the_start_is_not_shared(run, kit):
    program = run(
        """
        first = kit.initiate_task("default", "noop", {})
        kit.start(2, {"default": 2})
        """
    )

    assert kit.initiate_task("default", "noop", {}).get(timeout=PATIENCE) == 1

    program.send_signal(signal.SIGTERM)
    said(program)
    assert program.returncode == 0


def test_starting_again_and_again_leaves_nothing_open(run):
    """Seen to fail with a descriptor that each look at the log's own opened anew."""
    program = run(
        """
        def start():
            threading.Timer(0.5, os.kill, (os.getpid(), 15)).start()
            try:
                kit.start(2, {"default": 2})
            except SystemExit as end:
                return end.code, len(os.listdir("/proc/self/fd")), threading.active_count()

        first = start()
        print(first == start() == start(), first[0], os.listdir(os.environ["TASKKITX_RUN_DIR"]))
        """
    )

    assert "True 0 []" in said(program)


def test_other_threads_are_named_in_a_warning(run):
    program = run(
        """
        threading.Thread(target=time.sleep, args=(600,), name="the-metrics", daemon=True).start()
        threading.Timer(1.0, os.kill, (os.getpid(), 15)).start()
        kit.start(1, {"default": 1})
        """
    )

    assert "the-metrics" in said(program)
    assert program.returncode == 0


def test_a_strict_fork_refuses_other_threads(run):
    program = run(
        """
        threading.Thread(target=time.sleep, args=(600,), name="the-metrics", daemon=True).start()
        kit.start(1, {"default": 1}, strict_fork=True)
        """
    )

    assert "ConfigurationError: other threads are alive (the-metrics)" in said(program)


def test_a_start_outside_the_main_thread_is_refused(run):
    program = run(
        """
        thread = threading.Thread(target=kit.start, args=(1, {"default": 1}))
        thread.start()
        """
    )

    assert "must be started in the main thread" in said(program)


@pytest.mark.parametrize("arguments", ['0, {"default": 1}', '1, {"default": 0}', "1, {}"])
def test_what_cannot_run_is_refused_before_anything_is_forked(run, arguments):
    program = run(f"kit.start({arguments})")

    assert "ConfigurationError" in said(program)
    assert program.returncode == 1


def test_should_restart_replaces_a_process(run, kit, tmp_path):
    program = run(
        """
        def should_restart(process):
            asked = os.path.join(os.environ["TEST_FOLDER"], "asked")
            if process.is_active() and not os.path.exists(asked):
                open(asked, "w").close()
                return True
            return False

        kit.start(1, {"default": 1}, should_restart=should_restart)
        """
    )
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "asked").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert kit.initiate_task("default", "noop", {}).get(timeout=PATIENCE) == 1
    program.send_signal(signal.SIGTERM)
    assert "should_restart says so" in said(program)


def test_processes_without_supervision(run, kit):
    program = run(
        """
        processes = kit.start_processes(2, {"default": 2})
        print(all(process.is_alive() for process in processes), flush=True)
        kit.initiate_task("default", "noop", {}).get(timeout=20)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(10)
        print([process.exitcode for process in processes])
        """
    )

    output = said(program)
    assert "True" in output
    assert "[0, 0]" in output
    assert program.returncode == 0


def test_daemons_end_with_the_program(run, kit):
    program = run(
        """
        kit.start_processes(2, {"default": 2})
        kit.initiate_task("default", "noop", {}).get(timeout=20)
        """
    )

    said(program)

    assert program.returncode == 0
    assert nobody_left(program.pid)


def test_daemons_of_a_killed_program_end_too(run, kit):
    program = run('kit.start_processes(2, {"default": 2}); time.sleep(600)')
    kit.initiate_task("default", "noop", {}).get(timeout=PATIENCE)

    program.kill()

    program.wait()
    assert nobody_left(program.pid)


def nobody_left(group):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_killed_process_is_seen_as_dead(run, kit):
    program = run(
        """
        (process,) = kit.start_processes(1, {"default": 1}, daemon=False)
        process.kill()
        process.join()
        print(process.is_alive(), process.exitcode, process)
        """
    )

    assert "False -9 <TaskkitProcess" in said(program)
