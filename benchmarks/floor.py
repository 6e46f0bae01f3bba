"""The floor: the worker's cycle in plain sqlite3, without threads, handlers, leases or a supervisor."""

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

BATCH = 256


def connect(path: Path, synchronous: str = "NORMAL") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def make(path: Path, tasks: int) -> None:
    connection = connect(path)
    connection.execute(
        "CREATE TABLE task (id TEXT PRIMARY KEY, grp TEXT, state INT, rank INT, due REAL, attempt INT, "
        "worker TEXT, seq INT, data BLOB, result BLOB)"
    )
    connection.execute("CREATE INDEX claim ON task (grp, rank, due, id) WHERE state = 1")
    connection.execute("CREATE INDEX owned ON task (worker, seq) WHERE state = 5")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO task VALUES (?, 'g', 1, 0, ?, 0, NULL, NULL, x'31', NULL)",
        ((f"g_{n:032x}", float(n)) for n in range(tasks)),
    )
    connection.execute("COMMIT")
    connection.close()


def work(path: Path) -> None:
    connection = connect(path)
    worker, seq = str(os.getpid()), 0
    done: list[tuple[str, int]] = []
    while True:
        seq += 1
        rows = ", ".join("(?, ?, ?)" for _ in range(BATCH)) if done else "(NULL, NULL, NULL)"
        values: list[object] = [item for id_, attempt in done for item in (id_, attempt, b"1")]
        values += [None] * (3 * (BATCH - len(done)) if done else 0)
        connection.execute(
            f"UPDATE task SET state = s.state, attempt = attempt + (s.state = 5), worker = ?, seq = ?, "
            f"result = s.result FROM (SELECT t.rowid AS rid, 6 AS state, v.column3 AS result "
            f"FROM (VALUES {rows}) v JOIN task t ON t.id = v.column1 "
            "WHERE t.attempt = v.column2 AND t.state = 5 UNION ALL SELECT rid, 5, NULL FROM (SELECT rowid AS rid "
            "FROM task WHERE grp = 'g' AND state = 1 ORDER BY rank, due, id LIMIT 256)) s WHERE task.rowid = s.rid",
            [worker, seq, *values],
        )
        claims = connection.execute(
            "SELECT id, attempt, data FROM task WHERE worker = ? AND seq = ? AND state = 5",
            (worker, seq),
        ).fetchall()
        if not claims and not done:
            break
        done = [(row[0], row[1]) for row in claims]
    connection.close()


def drain(folder: Path, tasks: int, processes: int = 2) -> float:
    """Tasks per second."""
    path = folder / "floor.db"
    make(path, tasks)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(path,)) for _ in range(processes)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return tasks / (time.perf_counter() - began)


def one_by_one(folder: Path, rows: int) -> float:
    """Synced one-row commits per second."""
    path = folder / "single.db"
    make(path, 0)
    connection = connect(path, "FULL")
    began = time.perf_counter()
    for n in range(rows):
        connection.execute(
            "INSERT INTO task VALUES (?, 'g', 1, 0, ?, 0, NULL, NULL, x'31', NULL)",
            (f"s_{n:032x}", n),
        )
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
            "INSERT INTO task VALUES (?, 'g', 1, 0, ?, 0, NULL, NULL, x'31', NULL)",
            ((f"b_{n:032x}", float(n)) for n in range(start, start + batch)),
        )
        connection.execute("COMMIT")
    return rows / (time.perf_counter() - began)
