"""Old snapshots on MySQL: a transaction that stays open keeps every change of a busy queue in the server's history, and
claims have to step over what it keeps. Only users with the PROCESS privilege may see whose it is."""

from collections.abc import Callable

from taskkitx.backends.sql.mysql_errors import DENIED, number
from taskkitx.backends.sql.mysql_session import MySqlSession
from taskkitx.backends.sql.session import Row, Session

MANY = 500
"""A server that keeps the undo logs of so many transactions holds an old snapshot, or cannot keep up with cleaning."""
MANY_FOR_AN_ALARM = 100_000
LONGEST = 60.0
"""Seconds a transaction may stay open before people are told."""

_HISTORY = "SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'"
"""MariaDB tells it to everybody; MySQL has no such variable."""
_METRIC = "SELECT name, `count` FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'"
_HOLDERS = """
SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.innodb_trx
WHERE trx_started < NOW() - INTERVAL :longest SECOND ORDER BY trx_started LIMIT 20"""


def is_held(session: Session) -> bool:
    """Whether claims are likely to meet what an old snapshot keeps."""
    return history(session) > MANY


def history(session: Session) -> int:
    """How many transactions the server keeps the undo logs of; 0 when this user may not know."""
    found = session.rows(_HISTORY) or _if_allowed(lambda: session.rows(_METRIC)) or [("", 0)]
    return int(found[0][1])


def alarms(session: MySqlSession, longest: float = LONGEST) -> list[str]:
    """Whoever has kept a transaction open for more than `longest` seconds, one line each."""
    holders = _if_allowed(lambda: session.rows(_HOLDERS, {"longest": longest}))
    if holders is not None:
        return [
            f"the transaction of connection {connection} has been open for {seconds} s: what it may still see cannot "
            f"be removed and claims slow down; end it (KILL {connection})"
            for connection, seconds in holders
        ]
    kept = history(session)
    if kept <= MANY_FOR_AN_ALARM:
        return []
    return [
        f"the server keeps {kept:,} transactions for somebody whose own stays open, and claims slow down: find it "
        "(SELECT * FROM information_schema.innodb_trx ORDER BY trx_started) and end it"
    ]


def _if_allowed(look: Callable[[], list[Row]]) -> list[Row] | None:
    try:
        return look()
    except Exception as error:
        if number(error) in DENIED:
            return None
        raise
