"""`make bench`: the median of three rounds of each workload, beside its floor; `ARGS="drain latency"` chooses."""

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
    table = Table(title=f"medians of {ROUNDS} rounds")
    for column in ("what", "figure", "floor", "ratio", "target"):
        table.add_column(column, justify="left" if column in ("what", "target") else "right")
    for name in names:
        for what, rounds in measure(name).items():
            value = statistics.median(one.value for one in rounds)
            floors = [one.floor for one in rounds if one.floor]
            floor = statistics.median(floors) if floors else None
            table.add_row(
                what,
                f"{value:,.4g} {rounds[0].unit}"
                if value < 1000
                else f"{value:,.0f} {rounds[0].unit}",
                f"{floor:,.0f}" if floor else "",
                f"{value / floor:.2f}" if floor else "",
                rounds[0].target,
            )
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
