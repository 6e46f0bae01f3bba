"""The README's first program: as printed, on each store by URL alone, and under `taskkitx worker`."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores import shared_url, store_url

__all__ = ["shared_url", "store_url"]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "queue.md").read_text()
(PROGRAM,) = re.findall(r"```python\n(# tasks\.py.*?)```", README, re.DOTALL)
AS_PRINTED = re.findall(r"## Quickstart\n\n```python\n(.*?)```", PAGE, re.DOTALL)[0]
ANYWHERE = [text.replace('db_path="tasks.db"', "") for text in (PROGRAM, AS_PRINTED)]


def run(folder, *command, **environ):
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ran.stdout, ran.stderr


@pytest.mark.parametrize("program", [PROGRAM, AS_PRINTED], ids=["README", "docs"])
def test_it_runs_as_printed(tmp_path, program):
    (tmp_path / "tasks.py").write_text(program)

    prints, errors = run(tmp_path, "tasks.py")

    assert prints == "5\n", errors
    assert (tmp_path / "tasks.db").exists()


@pytest.mark.parametrize("program", ANYWHERE, ids=["README", "docs"])
def test_it_runs_on_each_store_by_url_alone(tmp_path, program, store_url):
    (tmp_path / "tasks.py").write_text(program)

    prints, errors = run(tmp_path, "tasks.py", TASKKITX_URL=store_url)

    assert prints == "5\n", errors


def test_it_runs_under_the_command_line(tmp_path, shared_url):
    (tmp_path / "tasks.py").write_text(ANYWHERE[0])
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TASKKITX_URL": shared_url}
    command = [sys.executable, "-m", "taskkitx.cli", "worker", "--app", "tasks:queue", "-p", "2"]
    assert "taskkitx worker --app tasks:queue -p 2" in README
    tree = subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL)
    try:
        call = "from tasks import add; print(add.delay(2, 3).result(timeout=30))"
        prints, errors = run(tmp_path, "-c", call, TASKKITX_URL=shared_url)
    finally:
        tree.send_signal(signal.SIGTERM)
        code = tree.wait(60)

    assert prints == "5\n", errors
    assert code == 0


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/from-*.md")), ids=lambda page: page.name)
def test_the_programs_of_the_guides_run(tmp_path, page):
    programs = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert programs
    for program in programs:
        (tmp_path / "shop.py").write_text(program)
        prints, errors = run(tmp_path, "shop.py")
        assert (prints, errors) == ("", "")
