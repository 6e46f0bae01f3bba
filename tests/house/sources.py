"""Which files the house is made of: what git tracks or would, so that build folders and environments do not count."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the project, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # a file that was deleted but not yet committed is still listed
    return tuple(
        Path(name) for name in sorted(set(listed.split("\0")) - {""}) if (ROOT / name).exists()
    )


def python_files() -> list[Path]:
    """Every Python module of the project, relative to its root."""
    return [path for path in project_files() if path.suffix == ".py"]


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a project file."""
    return ast.parse((ROOT / path).read_text(), str(path))


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of a module."""
    for node in ast.walk(parse(path)):
        if isinstance(node, Function):
            yield node
