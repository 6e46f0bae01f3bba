"""The shared statements as MySQL takes them: values written into the text, and what its indexes need.

Values are ASCII literals of our own making, so that neither the driver nor the character set or `sql_mode` of a
caller's connection has a say in what they mean. MySQL has no partial indexes; columns that are NULL where such an index
would have no entry take their place (`mysql_schema.py`), and the statements that rely on them are said again here.
"""

import math
import re
from typing import Any

from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.schema_names import Naming
from taskkitx.backends.sql.session import Parameters
from taskkitx.clock import Clock

CLOCK = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6"

_CLAIM, _SCHEDULED, _PARKED, _FINISHED = (
    f"taskkitx_task FORCE INDEX (taskkitx_task_{name})"
    for name in ("claim", "scheduled", "parked", "finished")
)
_DISPOSABLE = (
    f"SELECT disposable, id FROM {_FINISHED} WHERE grp = :group AND ended = :state "
    "AND disposable <= :now ORDER BY disposable LIMIT :limit"
)
_FIRST_GROUP = "SELECT min(grp) AS grp FROM taskkitx_task WHERE state = {} AND grp > :after"

INSTEAD = {
    sql.NEXT_DUE: f"SELECT later - :now FROM {_SCHEDULED} WHERE grp = :group AND later IS NOT NULL "
    "ORDER BY later LIMIT 1",
    sql.FIRST_SUSPECT: sql.FIRST_SUSPECT.replace("taskkitx_task", _CLAIM, 1),
    sql.ANY_PARKED: f"SELECT 1 FROM {_PARKED} WHERE grp = :group AND parked = :name LIMIT 1",
    sql.FIRST_PARKED: f"SELECT rank, due, id, name FROM {_PARKED} WHERE grp = :group AND parked = :name "
    f"AND {sql.NOT_PAUSED.format(group=':group')} ORDER BY rank, due, id LIMIT :limit{sql.SKIP_LOCKED}",
    sql.DISPOSABLE: _DISPOSABLE,
    sql.HOLD_DISPOSABLE: f"{_DISPOSABLE}{sql.SKIP_LOCKED}",
    sql.COUNT_FINISHED: f"SELECT count(*) FROM (SELECT 1 FROM {_FINISHED} WHERE grp = :group "
    "AND ended = :state LIMIT :cap) AS counted",
    sql.GROUP_AFTER.format(condition="disposable IS NOT NULL"): "SELECT min(grp) FROM ("
    + " UNION ALL ".join(_FIRST_GROUP.format(state) for state in range(6, 11))
    + ") AS firsts",
}

# In a caller's transaction, a snapshot may be older than the task that stands in the way.
HOLDER_NOW = (
    "(SELECT id, 0 AS place FROM taskkitx_task WHERE id = :id LOCK IN SHARE MODE) UNION ALL "
    "(SELECT id, 1 AS place FROM taskkitx_task WHERE unique_key = :key LOCK IN SHARE MODE) ORDER BY place LIMIT 1"
)

_WINDOW_OVER = "unique_until = 'window' AND created + coalesce(unique_for, 0) <= :now"
LOOK_FIRST = {
    sql.FREE_WINDOWS: (
        f"SELECT id FROM taskkitx_task WHERE unique_key = :key AND {_WINDOW_OVER}",
        f"UPDATE taskkitx_task SET unique_key = NULL WHERE id = :id AND {_WINDOW_OVER}",
    ),
    sql.FORGET_WORKER: (
        sql.FORGET_WORKER.replace("DELETE", "SELECT id", 1),
        "DELETE FROM taskkitx_worker WHERE id = :id",
    ),
}
"""What finds its rows by a secondary index, or by another table, would lock entries there that others come to by way of
the primary key, and they would wait for one another. It looks without a lock, and then writes by primary key."""

KEY_TAKEN = "SELECT id FROM taskkitx_task WHERE unique_key = :key"
"""A plain look: an INSERT that meets a key keeps a lock on it until the transaction ends."""

_PARAMETER = re.compile(r"(?<!:):(\w+)")
_UPSERT = re.compile(r"ON CONFLICT \([\w, ]+\) DO UPDATE")
_QUOTED_AS_IT_IS = re.compile(r"[ !#-&(-\[\]-~]*")
"""ASCII without quotes, backslashes and control characters: the same in every mode of every server."""


class Text:
    """The shared text with this store's names and clock."""

    def __init__(self, naming: Naming, clock: Clock | None) -> None:
        """`clock` is for tests; else time is the server's."""
        self._naming = naming
        self.clock = clock
        self._templates: dict[str, str] = {}

    def __call__(self, statement: str, parameters: Parameters) -> str:
        """The statement as it is sent. Raises UnicodeEncodeError or OverflowError for values no server takes."""
        values = {name: literal(value) for name, value in parameters.items()}
        values["now"] = values["lease_now"] = self.now()
        return self.template(statement) % values

    def now(self) -> str:
        """The store's clock as an expression, the same moment throughout a statement."""
        return CLOCK if self.clock is None else literal(self.clock())

    def template(self, statement: str) -> str:
        """The statement with `%(name)s` where its parameters go; made once."""
        template = self._templates.get(statement)
        if template is None:
            template = self._templates[statement] = self._rendered(statement)
        return template

    def _rendered(self, statement: str) -> str:
        text = INSTEAD.get(statement, statement).replace("%", "%%")
        text = self._naming.applied_to(text)
        # The one place where a list names this state: there the index is `failed`.
        text = text.replace("state = 7", "failed = 1") if "ORDER BY id DESC" in text else text
        text = re.sub(r"(?<!:)\brank\b", "`rank`", text)
        text = re.sub(r"\bexcluded\.(\w+)", r"VALUES(\1)", text)
        text = _UPSERT.sub("ON DUPLICATE KEY UPDATE", text).replace("KEY UPDATE SET", "KEY UPDATE")
        return _PARAMETER.sub(r"%(\1)s", text)


def literal(value: Any) -> str:
    """The value as MySQL reads it."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if _QUOTED_AS_IT_IS.fullmatch(value):
            return f"'{value}'"
        return f"_utf8mb4 X'{value.encode().hex()}'"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise OverflowError(f"{value} is no number that MySQL keeps")
        text = repr(value)
        return text if "e" in text else f"{text}e0"  # without an exponent it would be a decimal
    return str(int(value))
