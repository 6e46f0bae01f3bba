"""Tasks as part of the caller's own transaction: sqlite3 connections, SQLAlchemy connections and sessions."""

import sqlite3
from collections.abc import Callable
from typing import Any

from taskkitx.errors import ConfigurationError


def driver_connection(connection: Any) -> sqlite3.Connection:
    """The sqlite3 connection inside what the caller gave. Raises ConfigurationError when there is none."""
    if isinstance(connection, sqlite3.Connection):
        return _in_transaction(connection)
    if hasattr(connection, "connection") and callable(getattr(connection, "get_bind", None)):
        connection = connection.connection()  # a SQLAlchemy session
    pooled = getattr(connection, "connection", None)
    driver = getattr(pooled, "driver_connection", None)
    if isinstance(driver, sqlite3.Connection):
        return _in_transaction(driver)
    raise ConfigurationError(
        f"connection is {type(connection).__name__}: "
        "give a sqlite3 connection, or a SQLAlchemy connection or session on it"
    )


def _in_transaction(connection: sqlite3.Connection) -> sqlite3.Connection:
    """In the driver's autocommit mode nothing would be there to commit: then the caller has begun nothing."""
    if not connection.in_transaction:
        connection.execute("BEGIN IMMEDIATE")
    return connection


def after_commit(connection: Any, hint: Callable[[], None]) -> None:
    """Give the hint once the transaction has committed, where the connection can tell; else a poll finds the task."""
    if isinstance(connection, sqlite3.Connection):
        return
    from sqlalchemy import event

    event.listen(
        connection,
        "after_commit" if hasattr(connection, "get_bind") else "commit",
        lambda *_: hint(),
        once=True,
    )
