"""Every program in docs/queue.md prints what the page says it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "queue.md").read_text()
PROGRAMS = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n(?P<prints>.*?)```", re.DOTALL)


def programs():
    for found in PROGRAMS.finditer(PAGE):
        section = re.findall(r"^#+ (.*)$", PAGE[: found.start()], re.MULTILINE)[-1]
        line = PAGE.count("\n", 0, found.start()) + 1
        yield pytest.param(found["code"], found["prints"], id=f"{section}:{line}")


def test_every_program_says_what_it_prints():
    assert len(re.findall("```python", PAGE)) == len(list(programs())) > 20


@pytest.mark.parametrize(("code", "prints"), list(programs()))
def test_a_program_prints_what_the_page_says(code, prints, tmp_path):
    (tmp_path / "tasks.py").write_text(code)

    ran = subprocess.run(
        [sys.executable, "tasks.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.stdout == prints, ran.stderr
    assert ran.returncode == 0, ran.stderr
