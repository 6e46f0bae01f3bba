"""What psycopg's errors mean for whoever meets them."""

import psycopg
from psycopg import errors

from taskkitx.backends.sql.server import Trouble
from taskkitx.errors import ConfigurationError, StoreError, StoreRefused, StoreUnavailable

ERRORS = (psycopg.Error, UnicodeEncodeError, OverflowError)
"""What a statement may raise: surrogates and huge integers are refused before the server sees them."""

_CONFLICTS = (errors.DeadlockDetected, errors.SerializationFailure, errors.InvalidSqlStatementName)
_BROKEN_CLASSES = ("08", "57")
"""Connection exceptions and operator intervention (shutdown, crash, a cancelled statement)."""
_LATER_CLASSES = ("53", "55", "58")
"""No resources (disk full, too many connections), locked, I/O error."""
_NEVER_CONNECTS = (
    ("password authentication failed", "check the user and the password in the URL"),
    ("no password supplied", "the URL needs one: postgresql://user:password@host/database"),
    ("pg_hba.conf", "its pg_hba.conf does not let this user in from here"),
    ("role ", "check the user in the URL"),
    ("database ", "create the database first (createdb), or check its name in the URL"),
    ("invalid ", "check the options in the URL"),
)
"""What the server or libpq says of a connection that no waiting will mend, and what to do. The first match counts."""


def trouble(error: Exception) -> Trouble:
    """What this error asks for."""
    code = getattr(error, "sqlstate", None) or ""
    if isinstance(error, _CONFLICTS):
        return Trouble.CONFLICT
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return Trouble.BROKEN  # this server is no primary any more: look for the new one
    if code.startswith(_BROKEN_CLASSES):
        return Trouble.BROKEN
    if code.startswith(_LATER_CLASSES):
        return Trouble.LATER
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not code:
        return Trouble.BROKEN
    return Trouble.NEVER


def translated(error: Exception, where: str) -> StoreError:
    """The same fact as an error of ours."""
    said = first_line(error)
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return StoreUnavailable(f"{where} is read-only: it is a standby, or a failover is going on")
    if isinstance(error, errors.InsufficientPrivilege):
        return StoreUnavailable(
            f"{where} does not allow this user to do it ({said}): grant SELECT, INSERT, UPDATE and DELETE on its "
            "tables and USAGE on its sequence"
        )
    if isinstance(error, errors.UndefinedTable):
        return StoreUnavailable(f"{where} lacks our tables ({said}): run `taskkitx migrate`")
    if trouble(error) is Trouble.NEVER:
        return StoreRefused(f"{where} refuses this ({type(error).__name__}: {said})")
    return StoreUnavailable(f"{where} does not answer: {said}")


def why_never(error: BaseException | None, where: str) -> ConfigurationError | None:
    """The error of a first use that no waiting will mend, if it is one."""
    if isinstance(error, errors.InsufficientPrivilege):
        return ConfigurationError(str(translated(error, where)))
    if not isinstance(error, psycopg.OperationalError | psycopg.ProgrammingError):
        return None
    said = first_line(error)
    for sign, advice in _NEVER_CONNECTS:
        if sign in said and any(word in said for word in ("FATAL", "supplied", "invalid")):
            reason = said.rpartition("FATAL:")[2].rpartition("failed: ")[2].strip()
            return ConfigurationError(f"{where} refuses us ({reason}): {advice}")
    return None


def first_line(error: BaseException | None) -> str:
    """What the server or the driver said, without the driver's traces and hints."""
    return " ".join(str(error).strip().splitlines()[:1]) or type(error).__name__
