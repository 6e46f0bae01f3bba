"""`make bench`: the median of three rounds of each workload, beside its floor; `ARGS="drain latency"` chooses.

A ratio is that of a figure and its own round's floor: the machine may be another one in the next.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import door, mysql, postgres, redis, schedules, workloads
from benchmarks.figure import Figure, Workload

ALL: dict[str, Workload] = {
    **workloads.ALL,
    **postgres.ALL,
    **mysql.ALL,
    **redis.ALL,
    **schedules.ALL,
    **door.ALL,
}

ROUNDS = 3
ONCE = {"full", "foreign", "punctuality", "redis-full", "mysql-idle", "postgres"}
"""Long enough to be told once."""


def measure(name: str) -> dict[str, list[Figure]]:
    figures: dict[str, list[Figure]] = {}
    for _ in range(1 if name in ONCE else ROUNDS):
        with tempfile.TemporaryDirectory(prefix="taskkitx-bench-") as folder:
            for what, figure in ALL[name](Path(folder)).items():
                figures.setdefault(what, []).append(figure)
    return figures


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no workload {', '.join(unknown)}; there are {', '.join(ALL)}")
        return 2
    table = Table(title="medians")
    for column in ("what", "figure", "floor", "ratio", "target", "rounds"):
        table.add_column(column, justify="left" if column in ("what", "target") else "right")
    console = Console(width=130)
    for name in names:
        console.print(f"{name} ...")
        for what, rounds in measure(name).items():
            table.add_row(what, *_medians(rounds), rounds[0].target, str(len(rounds)))
    console.print(table)
    return 0


def _medians(rounds: list[Figure]) -> tuple[str, str, str]:
    """Figure, floor and ratio, written out."""
    value = statistics.median(one.value for one in rounds)
    figure = f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
    floors = [one.floor for one in rounds if one.floor]
    if not floors:
        return f"{figure} {rounds[0].unit}", "", ""
    ratio = statistics.median(one.value / one.floor for one in rounds if one.floor)
    return f"{figure} {rounds[0].unit}", f"{statistics.median(floors):,.0f}", f"{ratio:.2f}"


if __name__ == "__main__":
    sys.exit(main())
