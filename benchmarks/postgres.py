"""Postgres, on a private server that syncs its commits: each figure beside plain psycopg on the same tables."""

import os
import statistics
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks import floor_postgres, tree
from benchmarks.figure import Figure, Figures
from taskkitx import InitiateTaskArgs, Kit, connect
from taskkitx.outcome import Succeeded
from tests.servers import Postgres


class Synced(Postgres):
    """As people run it."""

    def command(self) -> list[str | Path]:
        instead = {"--fsync=off": "--fsync=on", "--shared_buffers=32MB": "--shared_buffers=128MB"}
        return [instead.get(str(part), part) for part in super().command()]


@contextmanager
def server() -> Generator[Postgres]:
    made = Synced()
    try:
        made.start()
        yield made
    finally:
        made.remove()


def postgres(folder: Path) -> Figures:
    with server() as made:
        return {
            **_drain(made, folder),
            **_initiate(made, folder),
            **_latency_and_idleness(made, folder),
            **_pinned(made),
        }


def _empty(made: Postgres) -> str:
    url = made.fresh_url()
    backend, _ = connect(url)
    backend.open()
    backend.close()
    return url


def _drain(made: Postgres, folder: Path, tasks: int = 50_000) -> Figures:
    with tree.store(folder, "", _empty(made)) as kit:
        rate = tree.drain(kit, tree.noops(tasks))
    reference = floor_postgres.drain(_empty(made), tasks)
    return {
        "Postgres: drain, 2 processes x 8 threads": Figure(
            rate, "tasks/s", reference, ">= 0.4 of floor"
        )
    }


def _initiate(made: Postgres, folder: Path, rounds: int = 20, tasks: int = 150) -> Figures:
    """In turns with the floor: both meet the same machine."""
    single, reference = 0.0, 0.0
    floor_url = _empty(made)
    with tree.store(folder, "", _empty(made)) as kit, floor_postgres.connect(floor_url) as plain:
        for number in range(rounds):
            began = time.perf_counter()
            for _ in range(tasks):
                kit.initiate_task("default", "noop", "1")
            between = time.perf_counter()
            floor_postgres.insert(plain, number, tasks)
            single += between - began
            reference += time.perf_counter() - between
        began = time.perf_counter()
        for _ in range(100):
            kit.initiate_tasks(*[InitiateTaskArgs(group="default", name="noop", data="1")] * 500)
        bulk = 50_000 / (time.perf_counter() - began)
    count = rounds * tasks
    return {
        "Postgres: initiate one by one": Figure(
            count / single, "/s", count / reference, ">= 0.7 of floor"
        ),
        "Postgres: initiate 500 at once": Figure(bulk, "/s"),
    }


def _latency_and_idleness(made: Postgres, folder: Path) -> Figures:
    pickup: list[float] = []
    with tree.store(folder, "", _empty(made)) as kit, tree.workers():
        kit.initiate_task("default", "when", "1").get(timeout=30)
        for _ in range(200):
            time.sleep(0.02)
            began = time.time()
            started = float(kit.initiate_task("default", "when", "1").get(timeout=30))
            pickup.append(started - began)
        time.sleep(12)
        idle = _commits(kit, 20.0)
    return {
        "Postgres: initiated elsewhere until started, p50": Figure(
            statistics.median(pickup) * 1000, "ms", None, "<= 3 ms"
        ),
        "Postgres: idle tree of 2 workers": Figure(idle, "commits/s", None, "<= 2"),
    }


def _commits(kit: Kit[str, str], seconds: float) -> float:
    query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    kit.backend.close()
    with psycopg.connect(os.environ["TASKKITX_URL"], autocommit=True) as connection:
        (before,) = connection.execute(query).fetchone() or (0,)
        time.sleep(seconds)
        (after,) = connection.execute(query).fetchone() or (0,)
        return float(after - before - 1) / seconds


def _pinned(made: Postgres, tasks: int = 100_000) -> Figures:
    """One process, claiming 64 at a time, without and with a snapshot held open."""
    free, _ = _cycles(_empty(made), tasks)
    url = _empty(made)
    with psycopg.connect(url) as holder:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT count(*) FROM taskkitx_task")
        pinned, worst = _cycles(url, tasks)
    return {
        f"Postgres: drain while {tasks:,} tasks finish under an old snapshot": Figure(
            pinned, "tasks/s", free, ">= 0.4 of unpinned"
        ),
        "Postgres: slowest claim under an old snapshot": Figure(
            worst * 1000, "ms", None, "<= 100 ms"
        ),
    }


def _cycles(url: str, tasks: int) -> tuple[float, float]:
    backend, _ = connect(url)
    work = tree.noops(tasks)
    for at in range(0, tasks, 1000):
        backend.put(work[at : at + 1000])
    worst, done = 0.0, list[Succeeded]()
    began = time.perf_counter()
    while True:
        asked = time.perf_counter()
        claims = backend.exchange("wk_bench", done, {"default": 64}).claims
        worst = max(worst, time.perf_counter() - asked)
        done = [Succeeded(task, b"1") for task in claims]
        if not done:
            break
    rate = tasks / (time.perf_counter() - began)
    backend.close()
    return rate, worst


ALL = {"postgres": postgres}
