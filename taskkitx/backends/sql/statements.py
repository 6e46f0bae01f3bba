"""Every statement the SQL stores share, as text. States are literals, so that the partial indexes apply.

Text, not SQLAlchemy Core: importing and compiling it would cost each process more than the whole engine does. What the
text may contain is said in `session.py`. Each UPDATE is right in stores that assign from left to right, too.
"""

COLUMNS = (
    "id, name, data, due, created, scheduled, retry_count, ttl, rank, state, attempt, worker_id, began, crashes, "
    "lost, loss, timeout, expires, unique_name, unique_until, unique_for, headers"
)
RECORD = f"{COLUMNS}, result, error, done, disposable, progress, cancel_requested, cancelled_by"

PLAIN_COLUMNS = "id, grp, name, data, state, rank, due, created, ttl"
FULL_COLUMNS = (
    f"{PLAIN_COLUMNS}, scheduled, retry_count, attempt, crashes, lost, loss, timeout, expires, unique_name, "
    "unique_key, unique_until, unique_for, headers"
)
FREE_WINDOWS = (
    "UPDATE taskkitx_task SET unique_key = NULL WHERE unique_key = :key AND unique_until = 'window' "
    "AND created + coalesce(unique_for, 0) <= :now"
)
HOLDER = (
    "SELECT id, 0 AS place FROM taskkitx_task WHERE id = :id "
    "UNION ALL SELECT id, 1 AS place FROM taskkitx_task WHERE unique_key = :key ORDER BY place LIMIT 1"
)

# A key that no longer binds is NULL in `unique_key`; `unique_name` keeps what it was.
KEY_WHEN_CLAIMED = "CASE WHEN unique_until IN ('queued', 'started') THEN NULL ELSE unique_key END"
KEY_WHEN_FINISHED = "CASE WHEN unique_until = 'window' THEN unique_key END"
UNIQUE_NAME = "SELECT unique_name FROM taskkitx_task WHERE id = :id AND unique_name IS NOT NULL"
REBIND = """
UPDATE taskkitx_task SET unique_key = unique_name
 WHERE id = :id AND unique_key IS NULL AND unique_name IS NOT NULL AND state < 5
   AND (coalesce(unique_until, 'done') IN ('done', 'queued') OR (unique_until = 'started' AND attempt = 0)
     OR (unique_until = 'window' AND :now < created + coalesce(unique_for, 0)))"""

NOT_PAUSED = (
    "coalesce((SELECT paused FROM taskkitx_pause WHERE grp = {group}), "
    "(SELECT paused FROM taskkitx_pause WHERE grp = ''), 0) = 0"
)
SKIP_LOCKED = " FOR UPDATE SKIP LOCKED"

CLAIMED = f"SELECT {COLUMNS} FROM taskkitx_task WHERE worker_id = :worker AND claim_seq = :seq AND state = 5"
WRITTEN_STATE = (
    "SELECT state FROM taskkitx_task WHERE id = :id AND attempt = :attempt AND worker_id = :worker"
)
# The sum keeps planners, whose statistics of the few running rows are mostly out of date, from any but the primary key.
_FENCE = "id = :id AND attempt = :attempt AND worker_id = :worker AND state + 0 = 5"
HOLD = f"SELECT id FROM taskkitx_task WHERE {_FENCE} FOR UPDATE"

HISTORY = f"""
INSERT INTO taskkitx_attempt (task_id, attempt, worker_id, began, ended, state, kind, message, trace)
SELECT id, attempt, worker_id, began, :now, :word, :kind, :message, :trace FROM taskkitx_task WHERE {_FENCE}
ON CONFLICT (task_id, attempt) DO UPDATE SET worker_id = excluded.worker_id, began = excluded.began,
  ended = excluded.ended, state = excluded.state, kind = excluded.kind, message = excluded.message,
  trace = excluded.trace"""
"""Attempts whose numbers somebody has set back come a second time, and the later one is kept."""
HISTORY_KEPT = """
DELETE FROM taskkitx_attempt WHERE task_id = :id AND attempt <= (SELECT attempt FROM (
  SELECT attempt FROM taskkitx_attempt WHERE task_id = :id ORDER BY attempt DESC LIMIT 1 OFFSET 100) AS oldest)"""
END = f"""
UPDATE taskkitx_task SET state = :state, loss = NULL, solo = 0, result = :result, error = :error, done = :now,
  disposable = :now + ttl, unique_key = {KEY_WHEN_FINISHED} WHERE {_FENCE}"""
RETRY = f"""
UPDATE taskkitx_task SET state = :state, loss = NULL, solo = 0, retry_count = retry_count + :charged,
  due = :now + :interval WHERE {_FENCE}"""
CANCEL_WAITING = f"""
UPDATE taskkitx_task SET state = 8, done = :now, disposable = :now + ttl, unique_key = {KEY_WHEN_FINISHED}
 WHERE id = :id AND state < 5 AND cancel_requested IS NOT NULL"""

NEXT_DUE = (
    "SELECT due - :now FROM taskkitx_task WHERE state = 0 AND grp = :group ORDER BY due LIMIT 1"
)


def _take(state: int) -> str:
    return f"""
UPDATE taskkitx_task SET state = 5, attempt = attempt + 1, worker_id = :worker, claim_seq = :seq, began = :now,
  unique_key = {KEY_WHEN_CLAIMED} WHERE id = :id AND state = {state}"""


FIRST_SUSPECT = f"""
SELECT rank, due, id FROM taskkitx_task WHERE state = 2 AND grp = :group AND due <= :now
  AND {NOT_PAUSED.format(group=":group")} ORDER BY rank, due, id LIMIT 1{SKIP_LOCKED}"""
TAKE_SUSPECT = _take(2)
ANY_PARKED = "SELECT 1 FROM taskkitx_task WHERE state = 3 AND grp = :group AND name = :name LIMIT 1"
FIRST_PARKED = f"""
SELECT rank, due, id, name FROM taskkitx_task WHERE state = 3 AND grp = :group AND name = :name
  AND {NOT_PAUSED.format(group=":group")} ORDER BY rank, due, id LIMIT :limit{SKIP_LOCKED}"""
TAKE_PARKED = _take(3)

RELEASE = f"""
UPDATE taskkitx_task SET state = CASE WHEN :parked = 1 THEN 3 WHEN solo = 1 THEN 2 ELSE 1 END, worker_id = NULL
 WHERE {_FENCE}"""
OWNED = (
    "SELECT id, attempt FROM taskkitx_task "
    "WHERE worker_id = :worker AND state = 5 AND began < :now - :age"
)
PROGRESS = (
    f"UPDATE taskkitx_task SET progress = :progress WHERE {_FENCE} AND cancel_requested IS NULL"
)
TO_CANCEL = (
    "SELECT id FROM taskkitx_task "
    "WHERE worker_id = :worker AND state = 5 AND cancel_requested IS NOT NULL"
)

REGISTER = """
INSERT INTO taskkitx_worker (id, instance, host, pid, boot_id, pid_namespace, pid_started, started, lease_until, info)
VALUES (:id, :instance, :host, :pid, :boot_id, :pid_namespace, :pid_started, :now, :lease_now + :ttl, :info)
ON CONFLICT (id) DO UPDATE SET instance = excluded.instance, host = excluded.host, pid = excluded.pid,
  boot_id = excluded.boot_id, pid_namespace = excluded.pid_namespace, pid_started = excluded.pid_started,
  started = excluded.started, lease_until = excluded.lease_until, info = excluded.info"""
RENEW = "UPDATE taskkitx_worker SET lease_until = :lease_now + :ttl, info = :info WHERE id = :id"
WORKERS = """
SELECT id, instance, host, pid, boot_id, pid_namespace, pid_started, started, lease_until - :lease_now, info
FROM taskkitx_worker ORDER BY started, id"""
FORGET_WORKER = (
    "DELETE FROM taskkitx_worker WHERE id = :id "
    "AND NOT EXISTS (SELECT 1 FROM taskkitx_task WHERE worker_id = :id AND state = 5)"
)
OWNERS = "SELECT DISTINCT worker_id FROM taskkitx_task WHERE state = 5 AND worker_id IS NOT NULL"
EXPIRED = f"""
SELECT id FROM taskkitx_worker WHERE lease_until <= :lease_now
UNION SELECT worker_id FROM ({OWNERS}) AS owner
 WHERE NOT EXISTS (SELECT 1 FROM taskkitx_worker WHERE id = owner.worker_id)"""
OWNED_PAGE = (
    "SELECT id, attempt, crashes, lost FROM taskkitx_task "
    f"WHERE worker_id = :worker AND state = 5 LIMIT :limit{SKIP_LOCKED}"
)
RESTORE = f"""
UPDATE taskkitx_task SET state = CASE WHEN solo = 1 OR :solo = 1 THEN 2 WHEN :after > 0 THEN 0 ELSE 1 END,
  solo = CASE WHEN :solo = 1 THEN 1 ELSE solo END, due = CASE WHEN :after < 0 THEN due ELSE :now + :after END,
  loss = coalesce(:loss, loss), crashes = crashes + :crashes, lost = lost + :lost, worker_id = NULL WHERE {_FENCE}"""

ASK_CANCEL = (
    "UPDATE taskkitx_task SET cancel_requested = :now, cancelled_by = :by "
    "WHERE id = :id AND state < 6 AND cancel_requested IS NULL"
)
STATE = "SELECT state FROM taskkitx_task WHERE id = :id"
HOLD_STATE = f"{STATE} FOR UPDATE"
RENEW_TASK = """
UPDATE taskkitx_task SET state = 1, due = :now, retry_count = 0, crashes = 0, lost = 0, loss = NULL, expires = NULL,
  solo = 0, result = NULL, error = NULL, done = NULL, disposable = NULL, progress = NULL, cancel_requested = NULL,
  cancelled_by = NULL WHERE id = :id AND state >= 6"""
DISCARD = "DELETE FROM taskkitx_task WHERE id = :id AND state <> 5"
PURGE = "DELETE FROM taskkitx_task WHERE id = :id AND state >= 6 AND disposable <= :now"
FORGET_HISTORY = "DELETE FROM taskkitx_attempt WHERE task_id = :id"
GROUP_OF = "SELECT grp FROM taskkitx_task WHERE id = :id"
ATTEMPTS = (
    "SELECT attempt, worker_id, began, ended, state, kind, message, trace FROM taskkitx_attempt "
    "WHERE task_id = :id ORDER BY attempt"
)

DISPOSABLE = (
    "SELECT disposable, id FROM taskkitx_task WHERE grp = :group AND state = :state AND disposable <= :now "
    "ORDER BY disposable LIMIT :limit"
)
HOLD_DISPOSABLE = f"{DISPOSABLE}{SKIP_LOCKED}"
GROUP_AFTER = "SELECT min(grp) FROM taskkitx_task WHERE {condition} AND grp > :after"
RUNNING_BY_GROUP = "SELECT grp, count(*) FROM taskkitx_task WHERE state = 5 GROUP BY grp"
COUNT_WAITING = (
    "SELECT count(*) FROM ("
    "SELECT 1 FROM taskkitx_task WHERE state = {state} AND grp = :group LIMIT :cap) AS counted"
)
COUNT_FINISHED = (
    "SELECT count(*) FROM (SELECT 1 FROM taskkitx_task "
    "WHERE grp = :group AND state = :state AND disposable IS NOT NULL LIMIT :cap) AS counted"
)
RANK_AFTER = "SELECT min(rank) FROM taskkitx_task WHERE state = 1 AND grp = :group AND rank > :rank"
AGE_OF_RANK = (
    "SELECT :now - min(due) FROM taskkitx_task WHERE state = 1 AND grp = :group AND rank = :rank"
)

PAUSES = "SELECT grp, paused FROM taskkitx_pause"
SET_PAUSE = (
    "INSERT INTO taskkitx_pause (grp, paused) VALUES (:group, :paused) "
    "ON CONFLICT (grp) DO UPDATE SET paused = excluded.paused"
)
CLEAR_PAUSES = "DELETE FROM taskkitx_pause"

SCHEDULER_STATE = "SELECT state FROM taskkitx_scheduler WHERE name = :name"
FIRST_STATE = "INSERT INTO taskkitx_scheduler (name, state) VALUES (:name, :state)"
NEXT_STATE = "UPDATE taskkitx_scheduler SET state = :state WHERE name = :name AND state = :expected"

SERIALIZE_EVENTS = "SELECT version_num FROM taskkitx_version FOR UPDATE"
SEND_EVENT = "INSERT INTO taskkitx_event (sent, data) VALUES (:now, :data)"
EVENTS_AFTER = "SELECT id, data FROM taskkitx_event WHERE id > :number ORDER BY id LIMIT 100"
LAST_EVENT = "SELECT coalesce(max(id), 0) FROM taskkitx_event"
PURGE_EVENTS = "DELETE FROM taskkitx_event WHERE sent < :now - :age"
