"""What the world around a supervisor may do to it: no more processes, other threads, being pid 1, a paused store."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.processes.apps import HEAD, IDLE
from tests.processes.ledger import APP, make
from tests.processes.promises import assert_nothing_left
from tests.processes.tree import ROOT

RUN = ["-m", "tests.processes.run"]


def test_a_system_without_processes_left_is_waited_out(tree):
    tree = tree(IDLE, fork_fails=3)

    tree.wait("fork_failed")
    tree.wait("worker_ready", count=2)
    assert tree.process.poll() is None


def test_a_thread_that_never_ends_does_not_hold_up_the_stop(tree):
    """Seen to hang with the interpreter's own shutdown, which joins such threads."""
    app = f"""{HEAD}
threading.Thread(target=time.sleep, args=(600,)).start()
kit = Kit()
"""
    tree = tree(app)
    tree.wait("worker_ready", count=2)

    tree.signal(signal.SIGTERM)

    assert tree.exit(timeout=10) == 0


def test_what_the_application_registered_for_its_exit_runs(tree, tmp_path):
    app = f"""{HEAD}
import atexit
atexit.register(lambda: open(FOLDER + "/farewell", "w").close())
kit = Kit()
"""
    tree = tree(app)
    tree.wait("worker_ready", count=2)

    tree.signal(signal.SIGTERM)

    assert tree.exit() == 0
    assert (tmp_path / "farewell").exists()


def test_a_handler_the_application_replaced_is_put_back(tree):
    """Seen to end in a kill at the end of the drain without the worker's look at its own handlers."""
    app = f"""{HEAD}
import sys
from tests.processes.toy import Worker

class Meddling(Worker):
    def run(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        super().run()

sys.modules["taskkitx.supervisor.child"].Worker = Meddling
kit = Kit()
"""
    tree = tree(app, processes=1)

    tree.wait("handler_replaced")
    tree.signal(signal.SIGTERM)

    assert tree.exit(timeout=10) == 0


def test_a_paused_store_does_not_hold_up_the_stop(tree, tmp_path):
    kit = make(tmp_path)
    kit.backend.open()
    tree = tree(APP, toy=False)
    tree.wait("supervisor_ready")
    kit.send_pause_event()
    kit.initiate_task("default", "noop", {})

    tree.signal(signal.SIGTERM)

    assert tree.exit() == 0
    assert_nothing_left(tree)
    kit.backend.close()


def test_a_shutdown_event_ends_the_tree(tree, tmp_path):
    kit = make(tmp_path)
    kit.backend.open()
    tree = tree(APP, toy=False)
    tree.wait("supervisor_ready")

    kit.send_shutdown_event()

    assert tree.exit() == 0
    kit.backend.close()


def test_a_shutdown_event_for_one_group_leaves_the_others(tree, tmp_path):
    kit = make(tmp_path)
    kit.backend.open()
    tree = tree(APP, toy=False, groups={"default": 1, "mail": 1})
    tree.wait("supervisor_ready")

    kit.send_shutdown_event({"mail"})

    tree.wait("roll_finished")
    assert kit.initiate_task("default", "noop", {}).get(timeout=20) == 1
    tree.wait("worker_ready", groups="default=1")
    kit.backend.close()


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True).returncode
    != 0,
    reason="needs the right to make a pid namespace",
)
def test_it_works_as_pid_1(tmp_path):
    """Orphans of tasks become its children there, and its own exit code is all the container says."""
    app = f"""{HEAD}
import subprocess
def leaves_an_orphan():
    subprocess.run(["sh", "-c", "sleep 0.2 & exit 0"])
    if os.fork() == 0:
        os._exit(0)

kit = Kit(leaves_an_orphan)
"""
    (tmp_path / "app.py").write_text(app)
    config = {"processes": 1, "groups": {"default": 1}}
    process = subprocess.Popen(
        ["unshare", "-pf", "--mount-proc", sys.executable, *RUN, json.dumps(config)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
            "TEST_FOLDER": str(tmp_path),
            "TASKKITX_RUN_DIR": str(tmp_path / "run"),
            "TASKKITX_LOG_LEVEL": "debug",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "reaped the orphan" in line:
            children = f"/proc/{process.pid}/task/{process.pid}/children"
            with open(children) as file:
                os.kill(int(file.read().split()[0]), signal.SIGTERM)
    process.stderr.close()

    assert process.wait(10) == 0, lines
    assert any("supervisor 1 of" in line for line in lines)
