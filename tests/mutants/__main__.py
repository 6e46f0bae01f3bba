"""`python -m tests.mutants` makes a copy of the checkout for each broken build, breaks it and runs the test.

Words after it choose those whose fault or test holds one of them. A test that still passes proves nothing: the run ends
with 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.faults import FAULTS, Mutant

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0
SOAK_PATIENCE = 1800.0


def survives(mutant: Mutant) -> bool:
    """Whether the test passes on the broken build."""
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
        break_it(copy / "taskkitx" / mutant.file, mutant)
        ran = run_test(copy, mutant)
    if ran.returncode not in (0, 1):
        raise SystemExit(f"{mutant.test}: {ran.stdout}{ran.stderr}")
    return ran.returncode == 0


def break_it(file: Path, mutant: Mutant) -> None:
    """Write the bad text where the good one is."""
    text = file.read_text()
    if text.count(mutant.good) != 1:
        raise SystemExit(f"{mutant.file} does not hold exactly once:\n{mutant.good}")
    file.write_text(text.replace(mutant.good, mutant.bad))


def run_test(copy: Path, mutant: Mutant) -> subprocess.CompletedProcess[str]:
    """Run the mutant's test on this copy of the checkout."""
    file, _, test = mutant.test.partition("::")
    file = file if "/" in file else f"processes/{file}"
    patience = SOAK_PATIENCE if mutant.soak else PATIENCE
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"tests/{file}", "-k", test]
    paths = [str(copy), *(path for path in sys.path if path and Path(path) != ROOT)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    if mutant.soak:
        environ["TASKKITX_SOAK"] = "1"
    return subprocess.run(
        [*command, "--timeout", str(patience)],
        cwd=copy,
        env=environ,
        capture_output=True,
        text=True,
    )


def main(words: list[str]) -> int:
    """Returns the exit code."""
    survivors = 0
    for fault, mutants in FAULTS.items():
        for mutant in mutants:
            if words and not any(word in mutant.test or word in fault for word in words):
                continue
            alive = survives(mutant)
            survivors += alive
            verdict = "SURVIVES" if alive else "killed  "
            print(f"{verdict} {fault}: {mutant.test} with {mutant.file}", flush=True)
    print(f"{survivors} broken builds pass their test")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
