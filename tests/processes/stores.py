"""The stores that whole trees are tested on."""

import pytest

on_stores = pytest.mark.parametrize(
    "store", ["sqlite", "postgres", "mysql", "redis"], indirect=True
)
"""On each in turn; a test without it has a SQLite file."""
