"""The hot path on Postgres: promote, write and claim in one implicit transaction and one round trip."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.cycle import in_order
from taskkitx.backends.sql.postgres_session import PostgresSession
from taskkitx.backends.sql.server_backend import Exchange
from taskkitx.backends.sql.session import Parameters, first
from taskkitx.backends.sql.watermarks import Watermarks
from taskkitx.outcome import Succeeded
from taskkitx.task import Task

PROMOTE = """
UPDATE taskkitx_task SET state = 1 WHERE id = ANY(ARRAY(
  SELECT due.id FROM unnest(:groups::text[]) AS w(grp) CROSS JOIN LATERAL (
    SELECT id FROM taskkitx_task WHERE state = 0 AND grp = w.grp AND due <= :now
    ORDER BY due LIMIT 1000 FOR UPDATE SKIP LOCKED) AS due))"""

# As in the fence of `statements`, the sum leaves the planner nothing but the primary key.
FINISH = f"""
UPDATE taskkitx_task AS t SET state = 6, loss = NULL, solo = 0, result = v.result, done = c.now,
  disposable = c.now + t.ttl, unique_key = {sql.KEY_WHEN_FINISHED}
FROM unnest(:ids::text[], :attempts::int[], :results::bytea[]) AS v(id, attempt, result), (SELECT :now AS now) AS c
WHERE t.id = v.id AND t.attempt = v.attempt AND t.worker_id = :worker AND t.state + 0 = 5"""


def _claim(sources: str, names: str, start: str) -> str:
    # The ids as an array, so that the update cannot be planned as a join over the whole table.
    return f"""
UPDATE taskkitx_task SET state = 5, attempt = attempt + 1, worker_id = :worker, claim_seq = :seq, began = :now,
  unique_key = {sql.KEY_WHEN_CLAIMED}
WHERE id = ANY(ARRAY(
  SELECT picked.id FROM unnest({sources}) AS w({names}) CROSS JOIN LATERAL (
    SELECT id FROM taskkitx_task WHERE state = 1 AND grp = w.grp {start}
    ORDER BY rank, due, id LIMIT w.n FOR UPDATE SKIP LOCKED) AS picked
  WHERE {sql.NOT_PAUSED.format(group="w.grp")}))
RETURNING {sql.COLUMNS}"""


CLAIM = _claim(":groups::text[], :limits::int[]", "grp, n", "")
CLAIM_FROM = _claim(
    ":groups::text[], :limits::int[], :ranks::bigint[], :dues::float8[], :first_ids::text[]",
    "grp, n, first_rank, first_due, first_id",
    "AND (rank, due, id) >= (w.first_rank, w.first_due, w.first_id)",
)
NEXT_DUE = """
SELECT min(next.due) - :now FROM unnest(:groups::text[]) AS w(grp) CROSS JOIN LATERAL (
  SELECT due FROM taskkitx_task WHERE state = 0 AND grp = w.grp ORDER BY due LIMIT 1) AS next"""


def exchange(
    session: PostgresSession,
    worker_id: str,
    outcomes: Sequence[Succeeded],
    wanted: Mapping[str, int],
    seq: int,
    marks: Watermarks,
) -> Exchange:
    """Write simple outcomes and claim, from the watermarks where there are any."""
    finish = {
        "worker": worker_id,
        "ids": [outcome.task.id for outcome in outcomes],
        "attempts": [outcome.task.attempt for outcome in outcomes],
        "results": [outcome.result for outcome in outcomes],
    }
    if not wanted:
        return Exchange(session.change(FINISH, finish), [])
    groups = {"groups": list(wanted)}
    claim = {**groups, "worker": worker_id, "seq": seq, "limits": list(wanted.values())}
    hints = marks.hints(wanted)
    start = {
        "ranks": [mark.rank for mark in hints or ()],
        "dues": [mark.due for mark in hints or ()],
        "first_ids": [mark.id for mark in hints or ()],
    }
    began = time.monotonic()
    with session.connection.pipeline():
        written = session.execute(FINISH, finish) if outcomes else None
        session.execute(PROMOTE, groups)
        claimed = session.execute(CLAIM_FROM if hints else CLAIM, {**claim, **start})
        due = session.execute(NEXT_DUE, groups)
    seconds = time.monotonic() - began
    claims = in_order(claimed.fetchall())
    if hints is None:
        marks.saw_all(wanted, claims, seconds)
    elif len(claims) < sum(wanted.values()):
        claims += _claim_the_rest(session, claim, wanted, claims, marks)
    marks.took(session, seconds)
    return Exchange(written.rowcount if written else 0, claims, first(list(due.fetchall())))


def _claim_the_rest(
    session: PostgresSession,
    claim: Parameters,
    wanted: Mapping[str, int],
    claims: Sequence[Task],
    marks: Watermarks,
) -> list[Task]:
    """Behind the watermarks there was too little: what else is there."""
    got = Counter(task.group for task in claims)
    left = [limit - got[group] for group, limit in wanted.items()]
    began = time.monotonic()
    more = in_order(session.rows(CLAIM, {**claim, "limits": left}))
    marks.saw_all(wanted, more, time.monotonic() - began)
    return more
