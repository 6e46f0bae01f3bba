"""Old snapshots: a transaction that stays open keeps every dead row of a busy queue from being cleaned up, and claims
have to step over them (see `watermarks.py`). People are told whose it is."""

from taskkitx.backends.sql.postgres_session import PostgresSession
from taskkitx.backends.sql.session import Session

MANY = 200
"""A snapshot that so many transactions have come after is old."""

_OLD = f"""
SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datid = (SELECT oid FROM pg_database WHERE datname =
  current_database()) AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
  AND age(backend_xmin) > {MANY})"""

# Of sessions of other roles, an ordinary user sees how many transactions came after, not when they began.
_HOLDERS = """
SELECT 'the transaction of pid ' || pid || coalesce(' (' || nullif(application_name, '') || ')', ''),
  extract(epoch FROM clock_timestamp() - xact_start)::float8, age(backend_xmin),
  'SELECT pg_terminate_backend(' || pid || ')'
FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
  AND backend_type <> 'autovacuum worker'
  AND (datid IS NULL OR datid = (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL SELECT 'the prepared transaction ' || gid, extract(epoch FROM clock_timestamp() - prepared)::float8,
  age(transaction), 'ROLLBACK PREPARED ' || quote_literal(gid)
FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL SELECT 'the replication slot ' || slot_name, NULL, age(xmin),
  'SELECT pg_drop_replication_slot(' || quote_literal(slot_name) || ')'
FROM pg_replication_slots WHERE xmin IS NOT NULL"""
_MANY_FOR_AN_ALARM = 100_000

_DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = to_regclass('taskkitx_task')"


def alarms(session: PostgresSession, longest: float) -> list[str]:
    """Whoever has kept a snapshot for more than `longest` seconds, one line each."""
    found: list[str] = []
    for who, seconds, transactions, remedy in session.rows(_HOLDERS):
        too_old = seconds > longest if seconds is not None else transactions > _MANY_FOR_AN_ALARM
        if too_old:
            age = f"{seconds:.0f} s" if seconds is not None else f"{transactions:,} transactions"
            found.append(f"{who} has been open for {age}")
            found[-1] += (
                f": dead rows cannot be removed{_dead(session)} and claims slow down; end it ({remedy})"
            )
    return found


def _dead(session: PostgresSession) -> str:
    counted = session.rows(_DEAD)
    return f" ({counted[0][0]:,} by now)" if counted else ""


def is_held(session: Session) -> bool:
    """Whether somebody holds a snapshot that is old."""
    return bool(session.rows(_OLD)[0][0])
