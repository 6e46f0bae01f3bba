"""What mypy and pyright say of right and wrong calls."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = (Path(__file__).parent / "typed_calls.txt").read_text()
WRONG = {n for n, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "typed_calls.py"
    path.write_text(PROGRAM)
    return path


def mypy(program):
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    command += [f"--cache-dir={ROOT / '.mypy_cache'}", str(program)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return ran.stdout + ran.stderr, {
        int(line) for line in re.findall(r"typed_calls\.py:(\d+): error", ran.stdout)
    }


def pyright(program):
    settings = program.parent / "pyrightconfig.json"
    settings.write_text(
        json.dumps(
            {
                "include": [program.name],
                "extraPaths": [str(ROOT)],
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
            }
        )
    )
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "-p", str(settings)]
    command += ["--pythonpath", sys.executable]
    ran = subprocess.run(command, cwd=program.parent, capture_output=True, text=True)
    found = json.loads(ran.stdout)["generalDiagnostics"]
    errors = [one for one in found if one["severity"] == "error"]
    return ran.stdout, {one["range"]["start"]["line"] + 1 for one in errors}


@pytest.mark.parametrize("checker", [mypy, pyright])
@pytest.mark.timeout(180)
def test_wrong_calls_are_type_errors_and_right_ones_are_not(checker, program):
    pytest.importorskip("mypy" if checker is mypy else "basedpyright")

    said, lines = checker(program)

    assert lines == WRONG, said
