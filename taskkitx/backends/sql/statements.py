"""Every statement on the tables, as text. States are literals, so that the partial indexes apply; times come in as
`:now`, read from the store's clock by whoever holds the write lock.

Text, not SQLAlchemy Core: importing and compiling it would cost each process more than the whole engine does.
"""

from functools import cache

COLUMNS = (
    "id, name, data, due, created, scheduled, retry_count, ttl, rank, state, attempt, worker_id, began, crashes, "
    "lost, loss, timeout, expires, unique_name, unique_until, unique_for, headers"
)
RECORD = f"{COLUMNS}, result, error, done, disposable, progress, cancel_requested, cancelled_by"

PUT = (
    "INSERT INTO taskkitx_task (id, grp, name, data, state, rank, due, created, ttl) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
PUT_ALL = (
    "INSERT INTO taskkitx_task (id, grp, name, data, state, rank, due, created, ttl, scheduled, retry_count, attempt, "
    "crashes, lost, loss, timeout, expires, unique_name, unique_key, unique_until, unique_for, headers) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
FREE_WINDOWS = (
    "UPDATE taskkitx_task SET unique_key = NULL WHERE unique_key = ? AND unique_until = 'window' "
    "AND created + coalesce(unique_for, 0) <= ?"
)
HOLDER = (
    "SELECT id FROM taskkitx_task WHERE id = ? "
    "UNION ALL SELECT id FROM taskkitx_task WHERE unique_key = ? LIMIT 1"
)

# A key that no longer binds is NULL in `unique_key`; `unique_name` keeps what it was.
_KEY_WHEN_CLAIMED = "CASE WHEN unique_until IN ('queued', 'started') THEN NULL ELSE unique_key END"
_KEY_WHEN_FINISHED = "CASE WHEN unique_until = 'window' THEN unique_key END"
REBIND = """
UPDATE OR IGNORE taskkitx_task SET unique_key = unique_name
 WHERE id = :id AND unique_key IS NULL AND unique_name IS NOT NULL AND state < 5
   AND CASE coalesce(unique_until, 'done')
       WHEN 'done' THEN 1 WHEN 'queued' THEN 1 WHEN 'started' THEN attempt = 0
       ELSE :now < created + coalesce(unique_for, 0) END"""

_NOT_PAUSED = (
    "NOT coalesce((SELECT paused FROM taskkitx_pause WHERE grp = {group}), "
    "(SELECT paused FROM taskkitx_pause WHERE grp = ''), 0)"
)


@cache
def exchange(outcomes: int, groups: int) -> str:
    """Succeeded outcomes and claims in one statement: `outcomes` rows of (id, attempt, result), `groups` groups.

    Parameters by position: now, worker, seq, then each outcome's three, then each group's (group, limit).
    """
    sources: list[str] = []
    at = 4
    if outcomes:
        values = ", ".join(f"(?{n}, ?{n + 1}, ?{n + 2})" for n in range(at, at + 3 * outcomes, 3))
        at += 3 * outcomes
        sources.append(
            "SELECT t.rowid AS rid, 6 AS state, v.column3 AS result "
            f"FROM (VALUES {values}) v CROSS JOIN taskkitx_task t ON t.id = v.column1 "
            "WHERE t.attempt = v.column2 AND t.worker_id = ?2 AND t.state = 5"
        )
    sources.extend(
        "SELECT rid, 5 AS state, NULL AS result FROM (SELECT rowid AS rid FROM taskkitx_task "
        f"WHERE grp = ?{n} AND state = 1 AND {_NOT_PAUSED.format(group=f'?{n}')} "
        f"ORDER BY rank, due, id LIMIT ?{n + 1})"
        for n in range(at, at + 2 * groups, 2)
    )
    # Materialized: flattened into the update, a lone source of outcomes makes SQLite scan all tasks for each of them.
    return f"""
UPDATE taskkitx_task SET
  attempt = attempt + (source.state = 5), worker_id = ?2, claim_seq = ?3, result = source.result,
  began = CASE WHEN source.state = 5 THEN ?1 ELSE began END,
  loss = CASE WHEN source.state = 5 THEN loss END,
  solo = CASE WHEN source.state = 5 THEN solo ELSE 0 END,
  done = CASE WHEN source.state = 6 THEN ?1 END,
  disposable = CASE WHEN source.state = 6 THEN ?1 + ttl END,
  unique_key = CASE WHEN unique_key IS NULL THEN NULL
               WHEN source.state = 5 THEN {_KEY_WHEN_CLAIMED} ELSE {_KEY_WHEN_FINISHED} END,
  state = source.state
FROM (WITH all_sources AS MATERIALIZED ({" UNION ALL ".join(sources)}) SELECT * FROM all_sources) AS source
WHERE taskkitx_task.rowid = source.rid"""


CLAIMED = f"SELECT {COLUMNS} FROM taskkitx_task WHERE worker_id = ? AND claim_seq = ? AND state = 5"
WRITTEN = "SELECT 1 FROM taskkitx_task WHERE id = ? AND attempt = ? AND worker_id = ?"
WRITTEN_STATE = "SELECT state FROM taskkitx_task WHERE id = ? AND attempt = ? AND worker_id = ?"
_FENCE = "id = :id AND attempt = :attempt AND worker_id = :worker AND state = 5"

HISTORY = f"""
INSERT INTO taskkitx_attempt (task_id, attempt, worker_id, began, ended, state, kind, message, trace)
SELECT id, attempt, worker_id, began, :now, :word, :kind, :message, :trace FROM taskkitx_task WHERE {_FENCE}
ON CONFLICT DO NOTHING"""
HISTORY_KEPT = """
DELETE FROM taskkitx_attempt WHERE task_id = :id AND attempt <= (
  SELECT attempt FROM taskkitx_attempt WHERE task_id = :id ORDER BY attempt DESC LIMIT 1 OFFSET 100)"""
END = f"""
UPDATE taskkitx_task SET state = :state, loss = NULL, solo = 0, result = :result, error = :error, done = :now,
  disposable = :now + ttl, unique_key = {_KEY_WHEN_FINISHED} WHERE {_FENCE}"""
RETRY = f"""
UPDATE taskkitx_task SET state = :state, loss = NULL, solo = 0, retry_count = retry_count + :charged, due = :due
 WHERE {_FENCE}"""
CANCEL_WAITING = f"""
UPDATE taskkitx_task SET state = 8, done = :now, disposable = :now + ttl, unique_key = {_KEY_WHEN_FINISHED}
 WHERE id = :id AND state < 5 AND cancel_requested IS NOT NULL"""

ANY_DUE = "SELECT 1 FROM taskkitx_task WHERE state = 0 AND grp = ? AND due <= ? LIMIT 1"
PROMOTE = """
UPDATE taskkitx_task SET state = 1 WHERE rowid IN (
  SELECT rowid FROM taskkitx_task WHERE state = 0 AND grp = ? AND due <= ? ORDER BY due LIMIT 1000)"""
NEXT_DUE = "SELECT min(due) FROM taskkitx_task WHERE state = 0 AND grp = ?"


def _take(where: str) -> str:
    return f"""
UPDATE taskkitx_task SET state = 5, attempt = attempt + 1, worker_id = :worker, claim_seq = :seq, began = :now,
  unique_key = {_KEY_WHEN_CLAIMED}
 WHERE rowid IN (SELECT rowid FROM taskkitx_task WHERE {where}
   AND {_NOT_PAUSED.format(group=":group")} ORDER BY rank, due, id LIMIT :limit)"""


FIRST_SUSPECT = f"""
SELECT rank, due, id FROM taskkitx_task WHERE state = 2 AND grp = :group AND due <= :now
  AND {_NOT_PAUSED.format(group=":group")} ORDER BY rank, due, id LIMIT 1"""
TAKE_SUSPECT = _take("state = 2 AND id = :id")
FIRST_PARKED = f"""
SELECT rank, due, id, name FROM taskkitx_task WHERE state = 3 AND grp = :group AND name = :name
  AND {_NOT_PAUSED.format(group=":group")} ORDER BY rank, due, id LIMIT :limit"""
TAKE_ONE_PARKED = _take("state = 3 AND id = :id")

RELEASE = f"""
UPDATE taskkitx_task SET state = CASE WHEN :parked THEN 3 WHEN solo THEN 2 ELSE 1 END, worker_id = NULL
 WHERE {_FENCE}"""
OWNED = "SELECT id, attempt FROM taskkitx_task WHERE worker_id = ? AND state = 5 AND began < ?"
PROGRESS = (
    f"UPDATE taskkitx_task SET progress = :progress WHERE {_FENCE} AND cancel_requested IS NULL"
)
TO_CANCEL = "SELECT id FROM taskkitx_task WHERE worker_id = ? AND state = 5 AND cancel_requested IS NOT NULL"

REGISTER = (
    "INSERT OR REPLACE INTO taskkitx_worker (id, instance, host, pid, boot_id, pid_namespace, pid_started, started, "
    "lease_until, info) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
RENEW = "UPDATE taskkitx_worker SET lease_until = ?, info = ? WHERE id = ?"
WORKERS = (
    "SELECT id, instance, host, pid, boot_id, pid_namespace, pid_started, started, lease_until, info "
    "FROM taskkitx_worker ORDER BY started, id"
)
FORGET_WORKER = (
    "DELETE FROM taskkitx_worker WHERE id = :id "
    "AND NOT EXISTS (SELECT 1 FROM taskkitx_task WHERE worker_id = :id AND state = 5)"
)
OWNERS = "SELECT DISTINCT worker_id FROM taskkitx_task WHERE state = 5"
OWNED_PAGE = "SELECT id, attempt, crashes, lost, solo FROM taskkitx_task WHERE worker_id = ? AND state = 5 LIMIT ?"
RESTORE = f"""
UPDATE taskkitx_task SET state = CASE WHEN solo OR :solo THEN 2 WHEN :due > :now THEN 0 ELSE 1 END,
  solo = max(solo, :solo), due = coalesce(:due, due), loss = coalesce(:loss, loss), crashes = crashes + :crashes,
  lost = lost + :lost, worker_id = NULL WHERE {_FENCE}"""

ASK_CANCEL = (
    "UPDATE taskkitx_task SET cancel_requested = :now, cancelled_by = :by "
    "WHERE id = :id AND state < 6 AND cancel_requested IS NULL"
)
STATE = "SELECT state FROM taskkitx_task WHERE id = ?"
RENEW_TASK = """
UPDATE taskkitx_task SET state = 1, due = :now, retry_count = 0, crashes = 0, lost = 0, loss = NULL, expires = NULL,
  solo = 0, result = NULL, error = NULL, done = NULL, disposable = NULL, progress = NULL, cancel_requested = NULL,
  cancelled_by = NULL WHERE id = :id AND state >= 6"""
DISCARD = "DELETE FROM taskkitx_task WHERE id = ? AND state <> 5"
PURGE = "DELETE FROM taskkitx_task WHERE id = ?"
FORGET_HISTORY = "DELETE FROM taskkitx_attempt WHERE task_id = ?"
GROUP_OF = "SELECT grp FROM taskkitx_task WHERE id = ?"
ATTEMPTS = (
    "SELECT attempt, worker_id, began, ended, state, kind, message, trace FROM taskkitx_attempt "
    "WHERE task_id = ? ORDER BY attempt"
)

DISPOSABLE = (
    "SELECT disposable, id FROM taskkitx_task WHERE grp = ? AND state = ? AND disposable <= ? "
    "ORDER BY disposable LIMIT ?"
)
GROUP_AFTER = "SELECT min(grp) FROM taskkitx_task WHERE {state} AND grp > ?"
RUNNING_BY_GROUP = "SELECT grp, count(*) FROM taskkitx_task WHERE state = 5 GROUP BY grp"
COUNT_WAITING = (
    "SELECT count(*) FROM (SELECT 1 FROM taskkitx_task WHERE state = {state} AND grp = ? LIMIT ?)"
)
COUNT_FINISHED = (
    "SELECT count(*) FROM (SELECT 1 FROM taskkitx_task "
    "WHERE grp = ? AND state = ? AND disposable IS NOT NULL LIMIT ?)"
)
RANKS_AFTER = "SELECT min(rank) FROM taskkitx_task WHERE state = 1 AND grp = ? AND rank > ?"
OLDEST_OF_RANK = "SELECT min(due) FROM taskkitx_task WHERE state = 1 AND grp = ? AND rank = ?"

PAUSES = "SELECT grp, paused FROM taskkitx_pause"
SET_PAUSE = "INSERT OR REPLACE INTO taskkitx_pause (grp, paused) VALUES (?, ?)"
CLEAR_PAUSES = "DELETE FROM taskkitx_pause"

SCHEDULER_STATE = "SELECT state FROM taskkitx_scheduler WHERE name = ?"
SET_SCHEDULER = "INSERT OR REPLACE INTO taskkitx_scheduler (name, state) VALUES (?, ?)"

SEND_EVENT = "INSERT INTO taskkitx_event (sent, data) VALUES (?, ?)"
EVENTS_AFTER = "SELECT id, data FROM taskkitx_event WHERE id > ? ORDER BY id LIMIT 100"
LAST_EVENT = "SELECT coalesce(max(id), 0) FROM taskkitx_event"
PURGE_EVENTS = "DELETE FROM taskkitx_event WHERE sent < ?"
