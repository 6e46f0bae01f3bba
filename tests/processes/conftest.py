"""Process trees for tests, ended whatever happens."""

import pytest

from tests.processes.ledger import make
from tests.processes.tree import Tree
from tests.stores import shared_url

__all__ = ["shared_url", "tree"]


@pytest.fixture
def store(request, tmp_path, monkeypatch):
    """The URL of the store that the trees and the kit of a test share, a SQLite file unless `on_stores` says more."""
    name = getattr(request, "param", "sqlite")
    if name == "sqlite":
        return f"sqlite:///{tmp_path}/tasks.db"
    url = request.getfixturevalue(f"{name}_url")
    monkeypatch.setenv("TEST_URL", url)
    # Where the processes of a test wake one another.
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path / "run"))
    return url


@pytest.fixture
def tree(tmp_path, store):
    """Make one: `tree(app, processes=2, ...)` starts it."""
    trees = []

    def make(app, *, environ=None, **config):
        trees.append(Tree(tmp_path, app, **config))
        return trees[-1].start(**(environ or {}))

    yield make
    for made in trees:
        made.close()


@pytest.fixture
def kit(tmp_path, store):
    """The test's own kit on the store of the tree's application."""
    kit = make(tmp_path)
    kit.backend.open()
    yield kit
    kit.backend.close()
