"""The unit file and the Dockerfile of the documentation are understood by those who read them, systemd and us."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from configparser import RawConfigParser
from dataclasses import fields
from pathlib import Path

import pytest

from taskkitx.cli.worker import worker
from taskkitx.settings import Settings
from taskkitx.supervisor.child import CANNOT_START
from tests.processes.manager import Manager
from tests.processes.tree import PATIENCE

ROOT = Path(__file__).parents[2]
APP = """
from taskkitx import TaskHandler, make_kit

class Echo(TaskHandler):
    def handle(self, task): return task.data
    def get_retry_interval(self, task, exception): return None
    def encode_data(self, group, name, data): return data
    def encode_result(self, task, result): return result
    def decode_result(self, task, encoded): return encoded

kit = make_kit(Echo())
"""


def block(page, language):
    """The only code block of a page in this language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.S)
    return text


@pytest.fixture
def unit():
    class Parser(RawConfigParser):
        optionxform = staticmethod(str)  # type: ignore[assignment]  # systemd's names have capitals

    parser = Parser(strict=False)
    parser.read_string(block("systemd.md", "ini"))
    return parser["Service"]


@pytest.fixture
def environ(tmp_path):
    """What a service has in its environment."""
    (tmp_path / "shop.py").write_text(APP)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
        "TASKKITX_URL": f"sqlite:///{tmp_path}/tasks.db",
        "TASKKITX_RUN_DIR": str(tmp_path / "run"),
    }


def as_module(words):
    """The command, from this checkout."""
    assert os.path.basename(words[0]) == "taskkitx"
    return [sys.executable, "-m", "taskkitx.cli", *words[1:]]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path):
    text = block("systemd.md", "ini")
    text = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text)
    text = text.replace("User=shop", "User=root").replace("/srv/shop", str(tmp_path))
    unit = tmp_path / "shop-worker.service"
    unit.write_text(text)

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
    )

    assert "shop-worker.service" not in verified.stderr, verified.stderr
    assert verified.returncode == 0, verified.stderr


def test_the_units_times_and_codes_are_ours(unit):
    context = worker.make_context("worker", shlex.split(unit["ExecStart"])[2:])

    drain = context.params["drain_timeout"]
    assert int(unit["TimeoutStopSec"]) >= drain + 15
    assert int(unit["TimeoutStartSec"]) > Settings().boot_timeout
    assert int(unit["WatchdogSec"]) >= Settings().lease_ttl
    assert int(unit["RestartPreventExitStatus"]) == CANNOT_START
    assert unit["KillMode"] == "mixed"


def test_a_service_made_from_the_unit_lives_as_systemd_expects(unit, environ, tmp_path):
    manager = Manager(tmp_path / "notify")
    words = shlex.split(unit["ExecStart"].replace("shop.tasks:kit", "shop:kit"))
    watchdog = {"WATCHDOG_USEC": str(int(unit["WatchdogSec"]) * 1_000_000)}
    service = subprocess.Popen(
        as_module(words), cwd=tmp_path, env=environ | {"NOTIFY_SOCKET": manager.address} | watchdog
    )
    try:
        assert unit["Type"] == "notify"
        ready = manager.wait("READY=1")
        manager.wait("WATCHDOG=1")

        reload = unit["ExecReload"].replace("$MAINPID", str(service.pid))
        subprocess.run(shlex.split(reload), check=True)
        reloading = manager.wait("RELOADING=1", since=ready)
        manager.wait("READY=1", since=reloading)

        service.terminate()
        manager.wait("STOPPING=1", since=reloading)
        assert service.wait(PATIENCE) == 0
    finally:
        service.kill()
        service.wait()


@pytest.fixture
def dockerfile():
    """Instruction -> its last argument text."""
    return dict(line.split(" ", 1) for line in block("docker.md", "dockerfile").splitlines())


def test_a_container_made_from_the_dockerfile_lives_as_docker_expects(
    dockerfile, environ, tmp_path
):
    """It is process 1 where this test may make a pid namespace."""
    for pair in shlex.split(dockerfile["ENV"]):
        name, _, value = pair.partition("=")
        environ.setdefault(name, value)
    probe = as_module(json.loads(dockerfile["HEALTHCHECK"].partition(" CMD ")[2]))
    inside = as_module(json.loads(dockerfile["CMD"]))
    container = subprocess.Popen(
        [*namespace(), *inside], cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        assert container.stderr is not None
        events = (json.loads(line) for line in container.stderr)
        started = next(e for e in events if e["event"] == "supervisor_started")
        next(e for e in events if e["event"] == "supervisor_ready")

        asked = subprocess.run(probe, cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert asked.returncode == 0, asked.stderr

        first = container.pid
        if namespace():
            assert started["pid"] == 1
            children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
            first = int(children.read_text().split()[0])
        os.kill(first, signal.Signals[dockerfile["STOPSIGNAL"]])
        assert container.wait(PATIENCE) == 0
    finally:
        container.kill()
        container.wait()
        if container.stderr is not None:
            container.stderr.close()


def namespace():
    command = ["unshare", "-pf", "--kill-child", "--mount-proc"]
    if (
        shutil.which("unshare")
        and not subprocess.run([*command, "true"], capture_output=True).returncode
    ):
        return command
    return []


def test_every_setting_is_documented_with_its_default():
    page = (ROOT / "docs" / "workers.md").read_text()
    documented = dict(re.findall(r"^\| `TASKKITX_(\w+)` \| (\S+) \|", page, re.M))

    settings = Settings()
    actual = {field.name.upper(): getattr(settings, field.name) for field in fields(Settings)}
    assert documented.keys() == actual.keys()
    for name, default in actual.items():
        shown = "" if documented[name] == "(none)" else documented[name]
        assert type(default)(shown) == default, name
