"""`python -m tests.mutants` makes a copy of the checkout for each broken build, breaks it and runs the test.

Words after it choose those whose fault or test holds one of them. A test that still passes, or that fails on a copy
that is not broken, proves nothing: the run ends with 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.mutants.faults import FAULTS, Mutant

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0
SOAK_PATIENCE = 1800.0


@contextmanager
def copied() -> Generator[Path]:
    """A copy of the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("taskkitx", "tests"):
            shutil.copytree(
                ROOT / name,
                copy / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        shutil.copy(ROOT / "pyproject.toml", copy)
        yield copy


@cache
def passes_unbroken(test: str) -> bool:
    """Whether the test passes on a copy that is not broken; else its failing proves nothing."""
    with copied() as copy:
        return run_test(copy, test, soak=False)


def survives(mutant: Mutant) -> bool:
    """Whether the test passes on the broken build."""
    with copied() as copy:
        break_it(copy / "taskkitx" / mutant.file, mutant)
        return run_test(copy, mutant.test, soak=mutant.soak)


def break_it(file: Path, mutant: Mutant) -> None:
    """Write the bad text where the good one is."""
    text = file.read_text()
    if text.count(mutant.good) != 1:
        raise SystemExit(f"{mutant.file} does not hold exactly once:\n{mutant.good}")
    file.write_text(text.replace(mutant.good, mutant.bad))


def run_test(copy: Path, selected: str, *, soak: bool) -> bool:
    """Whether this test passes on this copy of the checkout."""
    file, _, test = selected.partition("::")
    file = file if "/" in file else f"processes/{file}"
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"tests/{file}", "-k", test]
    paths = [str(copy), *(path for path in sys.path if path and Path(path) != ROOT)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    if soak:
        environ["TASKKITX_SOAK"] = "1"
    ran = subprocess.run(
        [*command, "--timeout", str(SOAK_PATIENCE if soak else PATIENCE)],
        cwd=copy,
        env=environ,
        capture_output=True,
        text=True,
    )
    if ran.returncode not in (0, 1):
        raise SystemExit(f"{selected}: {ran.stdout}{ran.stderr}")
    return ran.returncode == 0


def judge(mutant: Mutant) -> str:
    """What the test is worth, in a word."""
    if not passes_unbroken(mutant.test):
        return "UNFIT"
    return "SURVIVES" if survives(mutant) else "killed"


def main(words: list[str]) -> int:
    """Returns the exit code."""
    worthless = 0
    for fault, mutants in FAULTS.items():
        for mutant in mutants:
            if words and not any(word in mutant.test or word in fault for word in words):
                continue
            verdict = judge(mutant)
            worthless += verdict != "killed"
            print(f"{verdict:<8} {fault}: {mutant.test} with {mutant.file}", flush=True)
    print(f"{worthless} tests pass on a broken build, or fail on a good one")
    return 1 if worthless else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
