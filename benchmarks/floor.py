"""The floor: the worker's cycle in plain sqlite3, without threads, handlers, leases or a supervisor."""

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from taskkitx.backends.sql.sqlite import SqliteBackend

Place = TypeVar("Place")

BATCH = 256


def connect(path: Path, synchronous: str = "NORMAL") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


INSERT = (
    "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl) "
    "VALUES (?, 'g', 'noop', x'31', 1, ?, ?, 1e6)"
)


def make(path: Path, tasks: int) -> None:
    """The engine's own tables and indexes: the floor writes what the engine has to write, and nothing else."""
    backend = SqliteBackend(str(path))
    backend.open()
    backend.close()
    connection = connect(path)
    connection.execute("BEGIN")
    connection.executemany(INSERT, ((f"g_{n:032x}", float(n), float(n)) for n in range(tasks)))
    connection.execute("COMMIT")
    connection.close()


def work(path: Path, ready: Callable[[], object]) -> None:
    connection = connect(path)
    ready()
    worker, seq = str(os.getpid()), 0
    done: list[tuple[str, int]] = []
    while True:
        seq += 1
        places = range(4, 4 + 3 * (BATCH if done else 1), 3)
        rows = ", ".join(f"(?{n}, ?{n + 1}, ?{n + 2})" for n in places)
        values: list[object] = [item for id_, attempt in done for item in (id_, attempt, b"1")]
        values += [None] * (3 * len(places) - len(values))
        connection.execute(
            "UPDATE taskkitx_task SET state = s.state, attempt = attempt + (s.state = 5), worker_id = ?1, "
            "claim_seq = ?2, began = CASE WHEN s.state = 5 THEN ?3 ELSE began END, result = s.result, "
            "done = CASE WHEN s.state = 6 THEN ?3 END, "
            "disposable = CASE WHEN s.state = 6 THEN ?3 + ttl END "
            "FROM (SELECT t.rowid AS rid, 6 AS state, v.column3 AS result "
            f"FROM (VALUES {rows}) v CROSS JOIN taskkitx_task t ON t.id = v.column1 "
            "WHERE t.attempt = v.column2 AND t.worker_id = ?1 AND t.state = 5 "
            "UNION ALL SELECT rid, 5, NULL FROM (SELECT rowid AS rid FROM taskkitx_task "
            "WHERE grp = 'g' AND state = 1 ORDER BY rank, due, id LIMIT 256)) s "
            "WHERE taskkitx_task.rowid = s.rid",
            [worker, seq, time.time(), *values],
        )
        claims = connection.execute(
            "SELECT id, attempt, data FROM taskkitx_task "
            "WHERE worker_id = ? AND claim_seq = ? AND state = 5",
            (worker, seq),
        ).fetchall()
        if not claims and not done:
            break
        done = [(row[0], row[1]) for row in claims]
    connection.close()


def seconds(
    work: Callable[[Place, Callable[[], object]], None], place: Place, processes: int
) -> float:
    """How long so many processes work at once, from the moment that all have said they are ready."""
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(processes + 1)
    workers = [context.Process(target=work, args=(place, ready.wait)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return time.perf_counter() - began


def drain(folder: Path, tasks: int, processes: int = 2) -> float:
    """Tasks per second."""
    path = folder / "floor.db"
    make(path, tasks)
    return tasks / seconds(work, path, processes)


def one_by_one(folder: Path, rows: int) -> float:
    """Synced one-row commits per second."""
    path = folder / "single.db"
    make(path, 0)
    connection = connect(path, "FULL")
    began = time.perf_counter()
    for n in range(rows):
        connection.execute(INSERT, (f"s_{n:032x}", float(n), float(n)))
    return rows / (time.perf_counter() - began)


def bulk(folder: Path, rows: int, batch: int = 500) -> float:
    """Rows per second in synced batches."""
    path = folder / "bulk.db"
    make(path, 0)
    connection = connect(path, "FULL")
    began = time.perf_counter()
    for start in range(0, rows, batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            INSERT,
            ((f"b_{n:032x}", float(n), float(n)) for n in range(start, start + batch)),
        )
        connection.execute("COMMIT")
    return rows / (time.perf_counter() - began)
