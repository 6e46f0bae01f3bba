"""A first start that cannot work says why once and ends with 78; later the supervisor never gives up."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.processes.apps import HEAD, IDLE
from tests.processes.ledger import APP, make


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("import nonsense_that_is_not_there", "No module named 'nonsense_that_is_not_there'"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "ends the process"),
        ("other = 1", "no 'kit'"),
        ("kit = 1", "not a Kit"),
        ("def broken(:", "SyntaxError"),
        ("import os; os._exit(5)", "exited with code 5"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        (
            "from taskkitx.errors import SchemaMismatch\nfrom tests.processes.toy import Backend, Kit\n"
            "class Old(Backend):\n"
            "    def open(self): raise SchemaMismatch('run taskkitx migrate')\n"
            "kit = Kit(backend=Old())",
            "run taskkitx migrate",
        ),
    ],
)
def test_a_first_start_that_cannot_work_says_why_once(tree, app, says):
    tree = tree(app, processes=3)

    assert tree.exit() == 78
    (refused,) = tree.seen("boot_refused")
    assert says in refused["reason"]
    assert tree.session() == set()
    assert tree.files_left() == []


@pytest.mark.parametrize(
    "line", ["1 / 0", "from taskkitx import Queue; Queue('memory://', db_path='x.db')"]
)
def test_of_a_failed_import_the_applications_own_lines_are_shown(tree, tmp_path, line):
    tree = tree(line)

    reason = tree.wait("boot_refused")["reason"]

    assert line in reason
    assert [word for word in reason.split() if word.endswith('.py",')] == [f'"{tmp_path}/app.py",']


@pytest.mark.parametrize("app", ["import os; os._exit(5)", "import ctypes; ctypes.string_at(0)"])
def test_of_a_start_that_is_given_up_no_next_try_is_announced(tree, app):
    tree = tree(app)

    assert tree.exit() == 78
    assert tree.seen("respawn_delayed") == []


def test_an_app_path_that_is_none_is_refused(tree):
    tree = tree(IDLE, path="app")

    assert tree.exit() == 78
    assert "module:attribute" in tree.wait("boot_refused")["reason"]


def test_after_a_healthy_start_it_backs_off_and_recovers(tree):
    tree = tree(IDLE)
    tree.wait("worker_ready", count=2)

    tree.write_app("1 / 0")
    os.kill(tree.workers()[0], signal.SIGKILL)
    tree.wait("respawn_delayed")
    tree.wait("worker_started", count=4)
    assert tree.process.poll() is None

    tree.write_app(IDLE)
    tree.wait("worker_ready", count=3)


def test_a_worker_stuck_in_boot_is_killed_and_tried_again(tree):
    tree = tree("import time\ntime.sleep(600)", settings={"boot_timeout": 0.5})

    tree.wait("worker_killed")
    tree.wait("respawn_delayed")
    tree.write_app(IDLE)

    tree.wait("supervisor_ready")


def test_a_store_that_is_away_at_boot_is_waited_for(tree, tmp_path):
    app = f"""{HEAD}
from taskkitx.errors import StoreUnavailable
from tests.processes.toy import Backend

class Away(Backend):
    def open(self):
        if not told("store is back"):
            raise StoreUnavailable("nobody answers")

kit = Kit(backend=Away())
"""
    tree = tree(app, settings={"boot_timeout": 1.0})
    tree.wait("worker_waiting")
    tree.sleep(1.5)  # longer than a boot may take
    assert tree.seen("worker_killed") == []

    (tmp_path / "store is back").touch()

    tree.wait("supervisor_ready")


def test_a_required_store_that_is_away_ends_the_start_with_75(tree):
    app = f"""{HEAD}
from taskkitx.errors import StoreUnavailable
from tests.processes.toy import Backend

class Away(Backend):
    def open(self):
        raise StoreUnavailable("nobody answers")

kit = Kit(backend=Away())
"""
    tree = tree(app, require_store=True)

    assert tree.exit() == 75
    assert "nobody answers" in tree.wait("boot_refused")["reason"]


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("z", "newer than the 0001 of this taskkitx: upgrade taskkitx"),
        ("0000", "cannot be brought to 0001"),
    ],
)
def test_a_store_of_another_version_ends_the_start(tree, tmp_path, version, says):
    kit = make(tmp_path)
    kit.backend.open()
    kit.backend.close()
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection, connection:
        connection.execute("UPDATE taskkitx_version SET version_num = ?", [version])

    tree = tree(APP, toy=False, processes=3)

    assert tree.exit() == 78
    (refused,) = tree.seen("boot_refused")
    assert says in refused["reason"]
    assert "\n" not in refused["reason"]


def test_a_second_supervisor_of_the_same_instance_is_refused(tree, tmp_path):
    first = tree(IDLE, instance="mail")
    first.wait("supervisor_ready")

    second = tree(IDLE, instance="mail")

    assert second.exit() == 78
    assert "'mail' is running" in second.wait("boot_refused")["reason"]
    assert first.process.poll() is None


def test_two_supervisors_without_a_name_share_the_store(tree):
    first, second = tree(IDLE), tree(IDLE)

    first.wait("supervisor_ready")
    second.wait("supervisor_ready")


def test_the_instance_is_free_again_after_a_kill(tree):
    first = tree(IDLE, instance="mail")
    first.wait("supervisor_ready")
    first.signal(signal.SIGKILL)
    first.process.wait()

    tree(IDLE, instance="mail").wait("supervisor_ready")


def test_a_pid_file_that_lies_decides_nothing(tree, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mail.pid").write_text("1")

    tree(IDLE, instance="mail").wait("supervisor_ready")


def test_an_unusable_run_directory_is_a_clear_error(tree, tmp_path):
    (tmp_path / "run").write_text("a file")

    tree = tree(IDLE)

    assert tree.exit() == 78
    assert "TASKKITX_RUN_DIR" in tree.wait("boot_refused")["reason"]
