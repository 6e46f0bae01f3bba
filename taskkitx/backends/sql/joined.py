"""Tasks as part of the caller's own transaction: the driver's connections, SQLAlchemy connections and sessions."""

import sqlite3
from collections.abc import Callable
from typing import Any

from taskkitx.errors import ConfigurationError


def sqlite_connection(connection: Any) -> sqlite3.Connection:
    """The sqlite3 connection inside what the caller gave, in a transaction. Raises ConfigurationError."""
    driver: sqlite3.Connection = driver_connection(connection, sqlite3.Connection, "sqlite3")
    # In the driver's autocommit mode nothing would be there to commit: then the caller has begun nothing.
    if not driver.in_transaction:
        driver.execute("BEGIN IMMEDIATE")
    return driver


def driver_connection(connection: Any, kind: type[Any], name: str) -> Any:
    """The driver's connection, of type `kind`, inside what the caller gave. Raises ConfigurationError."""
    given = connection
    if hasattr(connection, "connection") and callable(getattr(connection, "get_bind", None)):
        connection = connection.connection()  # a SQLAlchemy session
    if not isinstance(connection, kind):
        pooled = getattr(connection, "connection", None)
        connection = getattr(pooled, "driver_connection", None)
    if isinstance(connection, kind):
        return connection
    raise ConfigurationError(
        f"connection is {type(given).__name__}: "
        f"give a {name} connection, or a SQLAlchemy connection or session on it"
    )


def after_commit(connection: Any, hint: Callable[[], None]) -> None:
    """Give the hint once the transaction has committed, where the connection can tell; else a poll finds the task."""
    if callable(getattr(connection, "get_bind", None)):
        name = "after_commit"
    elif hasattr(
        connection, "get_transaction"
    ):  # a SQLAlchemy connection; a driver's own tells nobody
        name = "commit"
    else:
        return
    from sqlalchemy import event

    event.listen(connection, name, lambda *_: hint(), once=True)
