"""The wheel carries the whole package, data files included, and nothing else."""

import shutil
import subprocess
import sys
from email.parser import Parser
from zipfile import ZipFile

import pytest

import taskkitx
from tests.house.sources import ROOT, project_files

BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a clean copy, so that nothing that lies about can slip in or stand in."""
    pytest.importorskip("setuptools", minversion="77", reason="older ones cannot read our metadata")
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for path in project_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path, follow_symlinks=False)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out)],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    with ZipFile(built) as archive:
        yield archive


def test_the_wheel_is_the_package(wheel):
    package = {str(path) for path in project_files() if path.parts[0] == "taskkitx"}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == package
    assert "taskkitx/py.typed" in package


def test_the_wheel_says_what_it_is_and_needs(wheel):
    folder = f"taskkitx-{taskkitx.VERSION}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    core = {
        line.split(">")[0].split("<")[0]
        for line in metadata.get_all("Requires-Dist", [])
        if "extra" not in line
    }

    assert metadata["License-Expression"] == "MIT"
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()
    assert core == {"sqlalchemy", "alembic", "croniter", "setproctitle", "click", "rich"}
    assert "taskkitx = taskkitx.cli:main" in wheel.read(f"{folder}/entry_points.txt").decode()
