"""The floor on Postgres: the worker's cycle in plain psycopg, a statement a cycle, without threads, leases, retries."""

import os
from collections.abc import Callable

import psycopg

from benchmarks import floor

BATCH = 256

INSERT = (
    "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl) "
    "VALUES (%s, 'g', 'noop', '1', 1, %s, %s, 1e6)"
)
CYCLE = """
WITH done AS (
  UPDATE taskkitx_task AS t SET state = 6, result = '1', done = c.now, disposable = c.now + t.ttl
  FROM unnest(%(ids)s::text[], %(attempts)s::int[]) AS v(id, attempt),
    (SELECT extract(epoch FROM clock_timestamp()) AS now) AS c
  WHERE t.id = v.id AND t.attempt = v.attempt AND t.worker_id = %(worker)s AND t.state + 0 = 5),
pick AS MATERIALIZED (
  SELECT id FROM taskkitx_task WHERE grp = 'g' AND state = 1 ORDER BY rank, due, id LIMIT 256
  FOR UPDATE SKIP LOCKED)
UPDATE taskkitx_task SET state = 5, attempt = attempt + 1, worker_id = %(worker)s,
  began = extract(epoch FROM clock_timestamp())
WHERE id = ANY(ARRAY(SELECT id FROM pick)) RETURNING id, attempt, data"""


def connect(url: str) -> psycopg.Connection:
    # With the same plans as the engine's, the difference is the engine's.
    options = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    return psycopg.connect(url, autocommit=True, prepare_threshold=2, options=options)


def fill(url: str, tasks: int) -> None:
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl) "
            "SELECT 'g_' || lpad(n::text, 32, '0'), 'g', 'noop', '1', 1, n, n, 1e6 "
            "FROM generate_series(1, %s) AS n",
            [tasks],
        )


def work(url: str, ready: Callable[[], object]) -> None:
    worker = str(os.getpid())
    done: list[tuple[str, int, bytes]] = []
    with connect(url) as connection:
        ready()
        while True:
            claims = connection.execute(
                CYCLE,
                {
                    "worker": worker,
                    "ids": [row[0] for row in done],
                    "attempts": [row[1] for row in done],
                },
            ).fetchall()
            if not claims and not done:
                return
            done = claims


def drain(url: str, tasks: int, processes: int = 2) -> float:
    """Tasks per second."""
    fill(url, tasks)
    return tasks / floor.seconds(work, url, processes)


def insert(connection: psycopg.Connection, number: int, rows: int) -> None:
    """One-row commits."""
    for n in range(rows):
        connection.execute(INSERT, (f"s_{number:012x}{n:020x}", float(n), float(n)))
