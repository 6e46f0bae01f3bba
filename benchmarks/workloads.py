"""Each workload returns figures by name; the ones with a floor measure it in the same run."""

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import floor, tree
from benchmarks.figure import Figure, Figures
from examples.demo import standard_library
from taskkitx import InitiateTaskArgs, TaskState


def drain(folder: Path, tasks: int = 50_000) -> Figures:
    rate = _drain(folder, "drain", tasks)
    reference = floor.drain(folder, tasks)
    return {"drain, 2 processes x 8 threads": Figure(rate, "tasks/s", reference, ">= 0.4 of floor")}


def _drain(folder: Path, name: str, tasks: int, waiting: int = 0, finished: int = 0) -> float:
    with tree.store(folder, name) as kit:
        kit.backend.open()
        _fill(Path(kit.backend.url.removeprefix("sqlite:///")), waiting, finished)
        return tree.drain(kit, tree.noops(tasks))


def _fill(path: Path, waiting: int, finished: int) -> None:
    """Tasks of the same group that come after those measured: half of the waiting are due later, half by priority."""
    connection = sqlite3.connect(path)
    now = time.time()
    kinds = (
        (TaskState.SCHEDULED, waiting // 2, 0, now + 1e6),
        (TaskState.QUEUED, waiting // 2, 9, now),
        (TaskState.SUCCEEDED, finished, 0, now),
    )
    for state, count, rank, due in kinds:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO taskkitx_task (id, grp, name, data, state, rank, due, created, ttl, disposable) "
            "SELECT printf('default_%d%031d', ?, i), 'default', 'noop', x'31', ?, ?, ? + i / 1e3, 0, 1e6, ? "
            "FROM n WHERE ? > 0",
            (count, state, state, rank, due, due + 1e6 if state.finished else None, count),
        )
    connection.commit()
    connection.close()


def full(folder: Path) -> Figures:
    few = _drain(folder, "few", 50_000, 1000, 1000)
    many = _drain(folder, "many", 50_000, 1_000_000, 1_000_000)
    return {
        "drain beside 1,000,000 waiting, 1,000,000 finished": Figure(many, "tasks/s", few, ">= 0.8")
    }


def initiate(folder: Path) -> Figures:
    with tree.store(folder, "initiate") as kit:
        kit.backend.open()
        began = time.perf_counter()
        for _ in range(2000):
            kit.initiate_task("default", "noop", "1")
        single = 2000 / (time.perf_counter() - began)
        tasks = 100_000
        began = time.perf_counter()
        for start in range(0, tasks, 500):
            kit.initiate_tasks(
                *(
                    InitiateTaskArgs(group="default", name="noop", data="1")
                    for _ in range(start, start + 500)
                )
            )
        bulk = tasks / (time.perf_counter() - began)
    return {
        "initiate one by one": Figure(single, "/s", floor.one_by_one(folder, 2000), ">= 0.4"),
        "initiate 500 at once": Figure(bulk, "/s", floor.bulk(folder, tasks), ">= 90,000/s"),
    }


def latency(folder: Path) -> Figures:
    with tree.store(folder, "latency") as kit, tree.workers():
        pickup, results = tree.pick_ups(kit)
    return {
        "initiated elsewhere until started, p50": Figure(
            statistics.median(pickup) * 1000, "ms", None, "<= 5 ms"
        ),
        "started until Result.get returns, p50": Figure(
            statistics.median(results) * 1000, "ms", None, "<= 10 ms"
        ),
    }


def footprint(folder: Path) -> Figures:
    with tree.store(folder, "footprint") as kit:
        kit.backend.open()
        kit.initiate_tasks(*tree.noops(1))
        began = time.perf_counter()
        with tree.workers() as pid:
            tree.wait_for(kit, 1, 10)
            first = time.perf_counter() - began
            kit.backend.put(tree.noops(1000))
            tree.wait_for(kit, 1001, 2000)
            pss = sum(_pss(one) for one in tree.family(pid))
            time.sleep(2)
            before = sum(_cpu(one) for one in tree.family(pid))
            time.sleep(10)
            idle = (sum(_cpu(one) for one in tree.family(pid)) - before) / 10
    imports = [_import_time() for _ in range(5)]
    return {
        "PSS of supervisor, keeper, 2 workers": Figure(pss / 2**20, "MB", None, "<= 70 MB"),
        "start until the first task is done": Figure(first, "s", None, "<= 0.5 s"),
        "idle tree": Figure(idle * 100, "% of a core", None, "< 0.5 %"),
        "import taskkitx": Figure(statistics.median(imports) * 1000, "ms", None, "<= 40 ms"),
    }


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _import_time() -> float:
    code = "import time; t = time.perf_counter(); import taskkitx; print(time.perf_counter() - t)"
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )


def foreign(folder: Path, seconds: float = 60.0) -> Figures:
    """How long another program waits for its turn to write while handlers are busy with the interpreter."""
    worst = 0.0
    turns = 0
    with tree.store(folder, "foreign") as kit, tree.workers(threads=4):
        files = [str(file) for file in standard_library()]
        for _ in range(10):
            kit.initiate_tasks(
                *(InitiateTaskArgs(group="default", name="tokenize", data=file) for file in files)
            )
        connection = sqlite3.connect(
            kit.backend.url.removeprefix("sqlite:///"), isolation_level=None, timeout=30
        )
        connection.execute("CREATE TABLE foreigner (n INT)")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            worst = max(worst, time.perf_counter() - began)
            connection.execute("INSERT INTO foreigner VALUES (1)")
            connection.execute("COMMIT")
            turns += 1
            time.sleep(0.005)
        connection.close()
        kit.send_pause_event()
    return {
        f"foreign writer's worst wait in {seconds:.0f} s ({turns:,} turns)": Figure(
            worst * 1000, "ms", None, "<= 50 ms"
        )
    }


ALL = {
    "drain": drain,
    "initiate": initiate,
    "latency": latency,
    "footprint": footprint,
    "full": full,
    "foreign": foreign,
}
