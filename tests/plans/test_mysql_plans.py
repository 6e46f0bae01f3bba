"""Claim cost on MariaDB does not depend on what waits, what is due later or what has finished."""

import pytest

from taskkitx.backends.sql import mysql_cycle as hot
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.mysql import MySqlBackend
from taskkitx.backends.sql.mysql_link import Link
from taskkitx.backends.sql.mysql_session import MySqlSession
from taskkitx.backends.sql.mysql_text import INSTEAD
from taskkitx.backends.sql.watermarks import Watermarks
from taskkitx.outcome import Succeeded
from taskkitx.task import Task
from tests.servers import MariaDB, connect_plainly

QUEUED, FUTURE, FINISHED = 200_000, 200_000, 500_000

CLAIM = {"worker": "claimer", "seq": 1, "group": "g", "limit": 50}
FENCE = {"id": "g_1", "attempt": 1, "worker": "w"}
NAMED = {"group": "g", "name": "n", "limit": 9}
MARKS = Watermarks(lambda _: False)
GROUPS_WITH_FINISHED = sql.GROUP_AFTER.format(condition="disposable IS NOT NULL")


@pytest.fixture(scope="module")
def full_store(_mariadb: MariaDB) -> str:
    _mariadb.start()
    url = _mariadb.fresh_url()
    MySqlBackend(url).open()
    with connect_plainly(url) as connection, connection.cursor() as cursor:
        # One statement into an empty table, unchecked: then the server sorts its indexes rather than grow them.
        cursor.execute("SET GLOBAL innodb_buffer_pool_size = 256 * 1024 * 1024")
        cursor.execute("SET SESSION unique_checks = 0, foreign_key_checks = 0")
        cursor.execute(
            "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl, disposable) "
            "SELECT concat('g_', state, '_', lpad(seq, 12, '0')), 'g', 'n', '', state, "
            "  unix_timestamp() + if(state = 0, 1e6, 0) + seq / 1e6, 0, 100, "
            "  if(state = 6, unix_timestamp() + 1e6, NULL) "
            f"FROM (SELECT seq, if(seq <= {QUEUED}, 1, if(seq <= {QUEUED + FUTURE}, 0, 6)) AS state "
            f"  FROM seq_1_to_{QUEUED + FUTURE + FINISHED}) AS made"
        )
        cursor.execute(
            "INSERT INTO taskkitx_task (id, grp, name, data, state, due, created, ttl, worker_id, attempt, unique_key) "
            "VALUES ('g_1', 'g', 'n', '', 5, 0, 0, 0, 'w', 1, 'k')"
        )
        cursor.execute("ANALYZE TABLE taskkitx_task")
    return url


class Watched(MySqlBackend):
    """Tells what the server does for a statement."""

    def plan(self, statement, parameters):
        """EXPLAIN's rows about tasks, by column."""

        def explain(session):
            text = session.text(INSTEAD.get(statement, statement), parameters)
            return session.run([f"EXPLAIN {text}"])[0].rows

        names = ("id", "select", "table", "type", "keys", "key", "len", "ref", "rows", "extra")
        found = [dict(zip(names, row, strict=True)) for row in self.read(explain)]
        return [row for row in found if row["table"] in ("taskkitx_task", "task")]

    def rows_touched(self, work):
        """How many rows the server read for this work."""

        def count(link: Link, _: bool) -> int:
            before = self._handled(link)
            work(MySqlSession(link, self._text))
            return self._handled(link) - before

        return self._pool.run(count)

    def _handled(self, link: Link):
        (result,) = link.run(["SHOW SESSION STATUS LIKE 'Handler_read_%'"])
        return sum(int(value) for name, value in result.rows if "tmp" not in name)


@pytest.fixture
def backend(full_store, mariadb):
    made = Watched(full_store)
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("statement", "parameters", "indexes"),
    [
        pytest.param(hot.CLAIM, CLAIM, {"claim", "PRIMARY"}, id="claim"),
        pytest.param(
            hot.CLAIM_FROM,
            {**CLAIM, "rank": 0, "due": 1.0},
            {"claim", "PRIMARY"},
            id="claim from a watermark",
        ),
        pytest.param(hot.PROMOTE, {"group": "g"}, {"scheduled", "PRIMARY"}, id="promote"),
        pytest.param(sql.NEXT_DUE, {"group": "g"}, {"scheduled"}, id="next due"),
        pytest.param(sql.CLAIMED, CLAIM, {"owned"}, id="claimed"),
        pytest.param(sql.HOLD, FENCE, {"PRIMARY"}, id="hold"),
        pytest.param(sql.PROGRESS, {**FENCE, "progress": ""}, {"PRIMARY"}, id="a fenced write"),
        pytest.param(sql.RELEASE, {**FENCE, "parked": 0}, {"PRIMARY"}, id="release"),
        pytest.param(sql.OWNED_PAGE, {"worker": "w", "limit": 9}, {"owned"}, id="restore"),
        pytest.param(sql.OWNED, {"worker": "w", "age": 9.0}, {"owned"}, id="reconcile"),
        pytest.param(sql.TO_CANCEL, {"worker": "w"}, {"owned"}, id="cancels"),
        pytest.param(sql.DISPOSABLE, {**NAMED, "state": 6}, {"finished"}, id="retention"),
        pytest.param(sql.FIRST_SUSPECT, {"group": "g"}, {"claim"}, id="suspect"),
        pytest.param(sql.FIRST_PARKED, NAMED, {"parked"}, id="parked"),
        pytest.param(sql.HOLDER, {"id": "g_1", "key": "k"}, {"PRIMARY", "unique"}, id="holder"),
        pytest.param(
            "SELECT id FROM taskkitx_task WHERE state = 7 ORDER BY id DESC LIMIT 50",
            {},
            {"failed"},
            id="newest failures",
        ),
    ],
)
def test_hot_statements_use_their_index_and_never_sort_or_scan_the_tasks(
    backend, statement, parameters, indexes
):
    plan = backend.plan(statement, parameters)

    # What is known to be empty from statistics alone has no key.
    read = [row for row in plan if row["key"] is not None]
    used = {row["key"].removeprefix("taskkitx_task_") for row in read}
    assert used == indexes, plan
    assert not [row for row in plan if row["type"] in ("ALL", "index")], plan
    assert not [row for row in plan if "filesort" in (row["extra"] or "")], plan


@pytest.mark.parametrize(
    ("statement", "parameters", "most"),
    [
        pytest.param(hot.PROMOTE, {"group": "g"}, 5, id="promote nothing"),
        pytest.param(sql.NEXT_DUE, {"group": "g"}, 5, id="next due"),
        pytest.param(GROUPS_WITH_FINISHED, {"after": ""}, 30, id="groups with finished tasks"),
        pytest.param(sql.RANK_AFTER, {"group": "g", "rank": -(2**62)}, 5, id="priorities"),
        pytest.param(sql.EXPIRED, {}, 30, id="dead workers"),
    ],
)
def test_they_read_few_rows(backend, statement, parameters, most):
    assert backend.rows_touched(lambda session: session.rows(statement, parameters)) <= most


def test_a_cycle_reads_no_more_than_it_claims_and_finishes(backend):
    claims: list[Task] = []

    def claim(session: MySqlSession):
        claims.extend(hot.exchange(session, "claimer", [], {"g": 50, "h": 50}, 1, MARKS).claims)

    def finish(session: MySqlSession):
        outcomes = [Succeeded(task, task.id.encode()) for task in claims]
        assert hot.exchange(session, "claimer", outcomes, {}, 2, MARKS).written == 50

    assert backend.rows_touched(claim) <= 50 * 8
    assert len(claims) == 50
    assert backend.rows_touched(finish) <= 50 * 3
