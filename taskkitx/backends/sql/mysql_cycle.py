"""The hot path on MySQL: write, promote and claim in one transaction and, for all but huge results, one round trip.

A claim locks rows in the order of the claim index, skipping what others hold, and only then writes them by primary key:
the inner SELECT is finished before the UPDATE around it begins. Outcomes are written in order of id.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.cycle import in_order
from taskkitx.backends.sql.mysql_session import MySqlSession
from taskkitx.backends.sql.mysql_text import literal
from taskkitx.backends.sql.server_backend import Exchange
from taskkitx.backends.sql.session import Parameters, first
from taskkitx.backends.sql.watermarks import Mark, Watermarks
from taskkitx.outcome import Succeeded
from taskkitx.task import Task

PROMOTE = """
UPDATE (
  SELECT id FROM taskkitx_task FORCE INDEX (taskkitx_task_scheduled) WHERE grp = :group AND later <= :now
  ORDER BY later LIMIT 1000 FOR UPDATE SKIP LOCKED) AS picked
STRAIGHT_JOIN taskkitx_task AS task ON task.id = picked.id SET task.state = 1"""


def _claim(start: str) -> str:
    return f"""
UPDATE (
  SELECT id FROM taskkitx_task FORCE INDEX (taskkitx_task_claim) WHERE state = 1 AND grp = :group {start}
    AND {sql.NOT_PAUSED.format(group=":group")}
  ORDER BY rank, due, id LIMIT :limit FOR UPDATE SKIP LOCKED) AS picked
STRAIGHT_JOIN taskkitx_task AS task ON task.id = picked.id
SET task.state = 5, attempt = attempt + 1, worker_id = :worker, claim_seq = :seq, began = :now,
  unique_key = {sql.KEY_WHEN_CLAIMED}"""


CLAIM = _claim("")
CLAIM_FROM = _claim("AND rank = :rank AND due >= :due")
"""From a watermark, within its rank: more than one rank is no range of an index here."""

FINISH = f"""
UPDATE taskkitx_task FORCE INDEX (PRIMARY) SET state = 6, loss = NULL, solo = 0, result = :results, done = :now,
  disposable = :now + ttl, unique_key = {sql.KEY_WHEN_FINISHED}
WHERE worker_id = :worker AND state = 5 AND (:fences)"""


def exchange(
    session: MySqlSession,
    worker_id: str,
    outcomes: Sequence[Succeeded],
    wanted: Mapping[str, int],
    seq: int,
    marks: Watermarks,
) -> Exchange:
    """Write simple outcomes and claim, from the watermarks where there are any."""
    finishes = [
        finish_statement(session, worker_id, part) for part in session.parts(outcomes, _size)
    ]
    if not wanted:
        return Exchange(sum(result.found for result in session.transaction(finishes)), [])
    claim = {"worker": worker_id, "seq": seq}
    hints = marks.hints(wanted)
    promotions = [session.text(PROMOTE, {"group": group}) for group in wanted]
    dues = [session.text(sql.NEXT_DUE, {"group": group}) for group in wanted]
    began = time.monotonic()
    results = session.transaction(
        [*finishes, *promotions, *_claims(session, claim, wanted, hints), *dues]
    )
    seconds = time.monotonic() - began
    claims = in_order(results[-len(dues) - 1].rows)
    if hints is None:
        marks.saw_all(wanted, claims, seconds)
    elif len(claims) < sum(wanted.values()):
        claims += _claim_the_rest(session, claim, wanted, claims, marks)
    marks.took(session, seconds)
    due_in = min((first(found.rows) for found in results[-len(dues) :] if found.rows), default=None)
    return Exchange(sum(result.found for result in results[: len(finishes)]), claims, due_in)


def _claims(
    session: MySqlSession,
    claim: Parameters,
    wanted: Mapping[str, int],
    hints: Sequence[Mark] | None = None,
) -> list[str]:
    """Claim for each group, then read what was claimed."""
    statements: list[str] = []
    for place, (group, limit) in enumerate(wanted.items()):
        what = {**claim, "group": group, "limit": limit}
        if hints is None:
            statements.append(session.text(CLAIM, what))
        else:
            start = {"rank": hints[place].rank, "due": hints[place].due}
            statements.append(session.text(CLAIM_FROM, {**what, **start}))
    return [*statements, session.text(sql.CLAIMED, claim)]


def _claim_the_rest(
    session: MySqlSession,
    claim: Parameters,
    wanted: Mapping[str, int],
    claims: Sequence[Task],
    marks: Watermarks,
) -> list[Task]:
    """Behind the watermarks there was too little: what else is there."""
    got = Counter(task.group for task in claims)
    left = {group: limit - got[group] for group, limit in wanted.items() if limit > got[group]}
    known = {task.id for task in claims}
    began = time.monotonic()
    found = in_order(session.transaction(_claims(session, claim, left))[-1].rows)
    more = [task for task in found if task.id not in known]
    marks.saw_all(wanted, more, time.monotonic() - began)
    return more


def _size(outcome: Succeeded) -> int:
    return len(outcome.result)


def finish_statement(session: MySqlSession, worker_id: str, outcomes: Sequence[Succeeded]) -> str:
    """All these outcomes in one UPDATE of one table; most results are mostly alike."""
    ids = [literal(outcome.task.id) for outcome in outcomes]
    results = [literal(outcome.result) for outcome in outcomes]
    ((usual, _),) = Counter(results).most_common(1)
    others = [
        f"WHEN {task_id} THEN {result}"
        for task_id, result in zip(ids, results, strict=True)
        if result != usual
    ]
    return session.text.template(FINISH) % {
        "now": session.text.now(),
        "worker": literal(worker_id),
        "results": f"CASE id {' '.join(others)} ELSE {usual} END" if others else usual,
        "fences": " OR ".join(
            f"(attempt = {attempt} AND id IN ({', '.join(literal(o.task.id) for o in group)}))"
            for attempt, group in groupby(
                sorted(outcomes, key=lambda outcome: (outcome.task.attempt, outcome.task.id)),
                key=lambda outcome: outcome.task.attempt,
            )
        ),
    }
