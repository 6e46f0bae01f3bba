"""A store that holds nothing yet: whoever comes first makes what is missing, and any number may come first."""

import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

FEW = 4


@pytest.fixture(params=["sqlite", "postgres", "mysql", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tasks.db'}"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


PROGRAM = """
import sys
import alembic.command, sqlalchemy  # so that all are equally quick
from taskkitx import Task, connect
backend, _ = connect(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
print(backend.put([Task.init("g", "n", b"")])[0].created)
backend.close()
"""


def test_many_may_be_the_first(url: str) -> None:
    """Seen to fail on Postgres with a migration whose driver connection commits each statement by itself."""
    programs = [
        Popen([sys.executable, "-c", PROGRAM, url], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        for _ in range(FEW)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "here\n"

    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()

    assert [program.communicate(timeout=60) for program in programs] == [("True\n", "")] * FEW
