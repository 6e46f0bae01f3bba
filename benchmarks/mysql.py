"""The same workloads on a private MariaDB, each beside its floor in plain pymysql."""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from benchmarks import floor, tree
from benchmarks.figure import Figure, Figures, Workload
from taskkitx import InitiateTaskArgs, Kit
from tests.servers import MariaDB, connect_plainly

BATCH = 256
INSERT = (
    "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl) "
    "VALUES (%s, 'default', 'noop', '1', 1, %s, %s, 1e6)"
)


@contextmanager
def server() -> Generator[MariaDB]:
    """A server that syncs its log at every commit, as servers do unless told otherwise."""
    made = MariaDB()
    try:
        made.start()
        with connect_plainly(made.url("")) as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        yield made
    finally:
        made.remove()


@contextmanager
def store(made: MariaDB, folder: Path) -> Generator[Kit[str, str]]:
    """A kit on a new database, whose tables are made."""
    with tree.store(folder, "", made.fresh_url()) as kit:
        kit.backend.open()
        yield kit


def drain(folder: Path, tasks: int = 20_000) -> Figures:
    with server() as made:
        with store(made, folder) as kit:
            rate = tree.drain(kit, tree.noops(tasks))
        with store(made, folder) as kit:
            reference = _floor_drain(kit.backend.url, tasks)
    what = "MariaDB: drain, 2 processes x 8 threads"
    return {what: Figure(rate, "tasks/s", reference, ">= 0.4 of floor")}


def _floor_drain(url: str, tasks: int, processes: int = 2) -> float:
    """The worker's cycle in plain pymysql, on the engine's tables, without threads, handlers or leases."""
    with connect_plainly(url) as connection, connection.cursor() as cursor:
        connection.begin()
        rows = [(f"default_{n:032x}", float(n), float(n)) for n in range(tasks)]
        for start in range(0, tasks, 1000):
            cursor.executemany(INSERT, rows[start : start + 1000])
        connection.commit()
    return tasks / floor.seconds(_work, url, processes)


def _work(url: str, ready: Callable[[], object]) -> None:
    worker = str(os.getpid())
    with connect_plainly(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        ready()
        ids: list[str] = []
        for seq in itertools.count():
            connection.begin()
            if ids:
                cursor.execute(
                    "UPDATE taskkitx_task SET state = 6, result = '1', done = %s, disposable = %s + ttl "
                    "WHERE id IN %s AND attempt = 1 AND worker_id = %s AND state = 5",
                    (time.time(), time.time(), ids, worker),
                )
            cursor.execute(
                "SELECT id, attempt, data FROM taskkitx_task WHERE state = 1 AND grp = 'default' "
                f"ORDER BY `rank`, due, id LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
            )
            finished, ids = ids, sorted(row[0] for row in cursor.fetchall())
            if ids:
                cursor.execute(
                    "UPDATE taskkitx_task SET state = 5, attempt = attempt + 1, worker_id = %s, claim_seq = %s, "
                    "began = %s WHERE id IN %s",
                    (worker, seq, time.time(), ids),
                )
            connection.commit()
            if not ids and not finished:
                return


def initiate(folder: Path, single: int = 2000, many: int = 50_000) -> Figures:
    with server() as made:
        with store(made, folder) as kit:
            began = time.perf_counter()
            for _ in range(single):
                kit.initiate_task("default", "noop", "1")
            one_by_one = single / (time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(0, many, 500):
                kit.initiate_tasks(
                    *[InitiateTaskArgs(group="default", name="noop", data="1")] * 500
                )
            bulk = many / (time.perf_counter() - began)
        with store(made, folder) as kit, connect_plainly(kit.backend.url) as connection:
            floor, bulk_floor = _floor_inserts(connection, single, many)
    return {
        "MariaDB: initiate one by one": Figure(one_by_one, "/s", floor, ">= 0.7"),
        "MariaDB: initiate 500 at once": Figure(bulk, "/s", bulk_floor),
    }


def _floor_inserts(
    connection: "pymysql.Connection[Any]", single: int, many: int
) -> tuple[float, float]:
    """Rows per second, committed one by one and 500 at a time."""
    with connection.cursor() as cursor:
        began = time.perf_counter()
        for n in range(single):
            cursor.execute(INSERT, (f"s_{n:032x}", float(n), float(n)))
        alone = single / (time.perf_counter() - began)
        began = time.perf_counter()
        for start in range(0, many, 500):
            rows = [(f"b_{n:032x}", float(n), float(n)) for n in range(start, start + 500)]
            connection.begin()
            cursor.executemany(INSERT, rows)
            connection.commit()
        return alone, many / (time.perf_counter() - began)


def latency(folder: Path) -> Figures:
    pickup: list[float] = []
    results: list[float] = []
    with server() as made, store(made, folder) as kit, tree.workers():
        kit.initiate_task("default", "when", "1").get(timeout=30)
        for _ in range(100):
            time.sleep(0.02)
            began = time.time()
            started = float(kit.initiate_task("default", "when", "1").get(timeout=30))
            pickup.append(started - began)
            results.append(time.time() - started)
    return {
        "MariaDB: initiated elsewhere until started, p50": Figure(
            statistics.median(pickup) * 1000, "ms", None, "<= 10 ms"
        ),
        "MariaDB: started until Result.get returns, p50": Figure(
            statistics.median(results) * 1000, "ms"
        ),
    }


def idle(folder: Path, seconds: float = 30.0) -> Figures:
    with server() as made, store(made, folder) as kit, tree.workers():
        kit.initiate_task("default", "noop", "1").get(timeout=30)
        time.sleep(15)
        before = _counters(made)
        time.sleep(seconds)
        after = _counters(made)
    per_second = {name: (after[name] - before[name]) / seconds for name in after}
    return {
        f"MariaDB: {name}, idle tree of 2 workers": Figure(value, "/s", None, target)
        for (name, value), target in zip(per_second.items(), ("<= 2", "", "", ""), strict=True)
    }


def _counters(made: MariaDB) -> dict[str, int]:
    names = ("Com_commit", "Handler_commit", "Questions", "Innodb_os_log_fsyncs")
    with connect_plainly(made.url("")) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN %s", (names,))
        found = {str(name): int(value) for name, value in cursor.fetchall()}
    return {name: found.get(name, 0) for name in names}


ALL: dict[str, Workload] = {
    "mysql-drain": drain,
    "mysql-initiate": initiate,
    "mysql-latency": latency,
    "mysql-idle": idle,
}
