"""What SQLite's errors mean for whoever meets them."""

import sqlite3

from taskkitx.errors import StoreError, StoreRefused, StoreUnavailable

_LATER = {
    "SQLITE_BUSY": "is locked by another program",
    "SQLITE_LOCKED": "is locked by another program",
    "SQLITE_FULL": "cannot grow: the disk is full",
    "SQLITE_READONLY": "is read-only for this process",
    "SQLITE_IOERR": "cannot be read or written (I/O error)",
    "SQLITE_CANTOPEN": "cannot be opened: check that its directory exists and can be written",
    "SQLITE_PROTOCOL": "is locked by another program",
    "SQLITE_CORRUPT": "is corrupted: restore it from a backup, or move it away to start afresh",
    "SQLITE_NOTADB": "is not a SQLite database",
}


BAD_DATA = (sqlite3.Error, UnicodeEncodeError, OverflowError)
"""What a statement may raise: the driver refuses surrogates and huge integers before SQLite sees them."""


def translated(error: Exception, path: str) -> StoreError:
    """The same fact as an error of ours."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for prefix, meaning in _LATER.items():
        if name.startswith(prefix):
            return StoreUnavailable(f"the SQLite file {path} {meaning} ({name}: {error})")
    return StoreRefused(
        f"the SQLite file {path} refuses this ({name or type(error).__name__}: {error})"
    )


def is_busy(error: Exception) -> bool:
    """Whether somebody else holds the lock."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(
        ("SQLITE_BUSY", "SQLITE_LOCKED")
    )


def is_broken(error: BaseException | None) -> bool:
    """Whether the file is no database, or no whole one: waiting does not help."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(
        ("SQLITE_NOTADB", "SQLITE_CORRUPT")
    )
