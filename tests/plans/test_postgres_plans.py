"""Claim cost on Postgres does not depend on what waits, what is due later or what has finished."""

import json

import psycopg
import pytest

from taskkitx.backends.sql import postgres_cycle as hot
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.postgres import PostgresBackend
from tests.servers import Postgres

QUEUED, FUTURE, FINISHED = 200_000, 200_000, 500_000

CLAIM = {"worker": "w", "seq": 1, "groups": ["g", "h"], "limits": [50, 50]}
FROM = {**CLAIM, "ranks": [0, 0], "dues": [1.0, 1.0], "first_ids": ["a", "a"]}
FINISH = {"worker": "w", "ids": ["g_1", "g_2"], "attempts": [1, 1], "results": [b"", b""]}
FENCE = {"id": "g_1", "attempt": 1, "worker": "w"}


@pytest.fixture(scope="module")
def _full_store(_postgres: Postgres) -> str:
    _postgres.start()
    url = _postgres.fresh_url()
    PostgresBackend(url).open()
    with psycopg.connect(url, autocommit=True) as connection:
        for state, count, due in ((1, QUEUED, 0), (0, FUTURE, 1e6), (6, FINISHED, 0)):
            connection.execute(
                "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl, disposable) "
                "SELECT 'g_' || %(state)s::text || '_' || lpad(i::text, 12, '0'), 'g', 'n', '', %(state)s::int, "
                "  extract(epoch FROM now()) + %(due)s::float8 + i / 1e6, 0, 100, "
                "  CASE WHEN %(state)s::int = 6 THEN extract(epoch FROM now()) + 1e6 END "
                "FROM generate_series(1, %(count)s::int) AS i",
                {"state": state, "count": count, "due": due},
            )
        connection.execute("VACUUM (ANALYZE) taskkitx_task")
    return url


@pytest.fixture(params=["", "?pooler=1"], ids=["direct", "behind a pooler"])
def backend(request, _full_store, postgres):
    """With our session's settings, and where a pooler lets us set nothing."""
    made = PostgresBackend(_full_store + request.param)
    made.open()
    yield made
    made.close()


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explain(backend, statement, parameters, *, options="FORMAT JSON"):
    """The root of a statement's plan; nothing it did is kept."""

    def look(session):
        (found,) = session.rows(f"EXPLAIN ({options}) {statement}", parameters)
        session.rows("SELECT set_config('transaction_read_only', 'on', true)")
        return found[0]

    found = backend.write(look)
    return (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


@pytest.mark.parametrize(
    ("statement", "parameters", "indexes"),
    [
        pytest.param(hot.CLAIM, CLAIM, {"claim", "pkey"}, id="claim"),
        pytest.param(hot.CLAIM_FROM, FROM, {"claim", "pkey"}, id="claim from a watermark"),
        pytest.param(hot.FINISH, FINISH, {"pkey"}, id="finish"),
        pytest.param(hot.PROMOTE, {"groups": ["g"]}, {"scheduled", "pkey"}, id="promote"),
        pytest.param(hot.NEXT_DUE, {"groups": ["g"]}, {"scheduled"}, id="next due"),
        pytest.param(sql.CLAIMED, CLAIM, {"owned"}, id="claimed"),
        pytest.param(sql.HOLD, FENCE, {"pkey"}, id="hold"),
        pytest.param(sql.PROGRESS, {**FENCE, "progress": ""}, {"pkey"}, id="a fenced write"),
        pytest.param(sql.OWNED_PAGE, {"worker": "w", "limit": 9}, {"owned"}, id="restore"),
        pytest.param(sql.TO_CANCEL, {"worker": "w"}, {"owned"}, id="cancels"),
        pytest.param(
            sql.DISPOSABLE, {"group": "g", "state": 6, "limit": 9}, {"finished"}, id="retention"
        ),
        pytest.param(sql.FIRST_SUSPECT, {"group": "g"}, {"solo"}, id="suspect"),
        pytest.param(
            sql.FIRST_PARKED, {"group": "g", "name": "n", "limit": 9}, {"parked"}, id="parked"
        ),
        pytest.param(sql.HOLDER, {"id": "g_1", "key": "k"}, {"pkey", "unique"}, id="holder"),
    ],
)
def test_hot_statements_use_their_index_and_never_sort_or_scan_the_tasks(
    backend, statement, parameters, indexes
):
    plan = list(nodes(explain(backend, statement, parameters)))

    on_tasks = [node for node in plan if node.get("Relation Name") == "taskkitx_task"]
    used = {
        node["Index Name"].removeprefix("taskkitx_task_")
        for node in on_tasks
        if "Index Name" in node
    }
    assert used == indexes, plan
    assert not [node for node in plan if node["Node Type"] == "Seq Scan" and node in on_tasks], plan
    if statement != sql.HOLDER:  # which sorts its two rows
        assert not [node for node in plan if "Sort" in node["Node Type"]], plan


@pytest.mark.parametrize(
    ("statement", "parameters", "most"),
    [
        pytest.param(hot.CLAIM, CLAIM, 50 * 40, id="claim of 50"),
        pytest.param(hot.PROMOTE, {"groups": ["g"]}, 20, id="promote nothing"),
        pytest.param(hot.NEXT_DUE, {"groups": ["g"]}, 20, id="next due"),
    ],
)
def test_they_touch_few_pages(backend, statement, parameters, most):
    plan = explain(backend, statement, parameters, options="ANALYZE, BUFFERS, FORMAT JSON")

    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most
