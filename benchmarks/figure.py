"""What a workload returns."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured thing."""

    value: float
    unit: str
    floor: float | None = None
    target: str = ""


Figures = dict[str, Figure]

Workload = Callable[[Path], Figures]
"""Measures in a folder of its own."""
