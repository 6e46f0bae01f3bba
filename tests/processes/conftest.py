"""Process trees for tests, ended whatever happens."""

import pytest

from tests.processes.tree import Tree


@pytest.fixture
def tree(tmp_path):
    """Make one: `tree(app, processes=2, ...)` starts it."""
    trees = []

    def make(app, *, environ=None, **config):
        trees.append(Tree(tmp_path, app, **config))
        return trees[-1].start(**(environ or {}))

    yield make
    for made in trees:
        made.close()
