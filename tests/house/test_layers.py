"""The floors of the house: imports point downward, drivers stay in backends (contracts in pyproject.toml)."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_imports_point_downward(capfd):
    status = lint_imports(no_logo=True)
    assert status == EXIT_STATUS_SUCCESS, capfd.readouterr().out
