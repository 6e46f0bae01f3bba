"""Connecting to Postgres: for the engine's own statements, for listening, and for migrations."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from taskkitx.backends.sql import postgres_errors
from taskkitx.backends.sql.postgres_session import OurConnection, PgConnection
from taskkitx.backends.sql.postgres_url import PostgresUrl
from taskkitx.backends.sql.schema_names import Naming
from taskkitx.backends.sql.server import Trouble
from taskkitx.errors import ConfigurationError, StoreError

MIGRATION_PATIENCE = 5.0
ANSWER_WITHIN = 11.0
"""The server ends a statement after 10 s; when it does not even say that, it has stopped or cannot be reached."""

_SESSION = {
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    # Every statement has its index. A plan made while the tables were empty would be kept when they are not.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


class PostgresDriver:
    """See `Driver`."""

    errors: tuple[type[Exception], ...] = postgres_errors.ERRORS

    def __init__(self, url: PostgresUrl) -> None:
        """Connects to what the URL names."""
        self._url = url
        self.where = url.where

    def connect(self, timeout: float) -> PgConnection:
        connection = self.connect_to(self._url.dsn, timeout)
        connection.answer_within = ANSWER_WITHIN
        return connection

    def connect_to(
        self, dsn: str, timeout: float, *, limits: Mapping[str, str] = _SESSION
    ) -> OurConnection:
        """A connection of our own; behind a pooler nothing may be set that outlives a transaction."""
        limits = {} if self._url.pooler else limits
        settings = " ".join(f"-c {name}={value}" for name, value in limits.items())
        given = conninfo_to_dict(dsn)
        parameters: dict[str, Any] = {
            "application_name": "taskkitx",
            "connect_timeout": max(2, round(timeout)),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            **given,
        }
        if settings:
            parameters["options"] = f"{settings} {given.get('options', '')}".strip()
        threshold = None if self._url.pooler else 2
        connection = OurConnection.connect(
            **parameters, autocommit=True, prepare_threshold=threshold
        )
        connection.kept_cursor = psycopg.Cursor(connection, row_factory=tuple_row)
        return connection

    def is_idle(self, connection: PgConnection) -> bool:
        return connection.pgconn.transaction_status == TransactionStatus.IDLE

    def disconnect(self, connection: PgConnection) -> None:
        connection.close()

    def trouble(self, error: Exception) -> Trouble:
        return postgres_errors.trouble(error)

    def translated(self, error: Exception) -> StoreError:
        return postgres_errors.translated(error, self.where)

    def connect_freely(self) -> PgConnection:
        """A connection for a migration: in transactions, whose statements may take as long as they need."""
        connection = self.connect_to(self._url.dsn, MIGRATION_PATIENCE, limits={})
        connection.autocommit = False
        return connection


def migrate(driver: PostgresDriver, naming: Naming) -> None:
    """Make the tables, or bring them up to this version. Raises ConfigurationError without the right to."""
    from taskkitx.backends.sql.migrate import upgrade_server

    lock = "SELECT pg_advisory_xact_lock(hashtext('taskkitx migrate'))"
    try:
        upgrade_server("postgresql+psycopg", driver.connect_freely, naming, lock)
    except Exception as error:
        cause = error.__cause__ if error.__cause__ is not None else error
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise ConfigurationError(
                f"{driver.where} needs tables that this user may not make ({postgres_errors.first_line(cause)}): "
                "let somebody who may run `taskkitx migrate`, or apply what `taskkitx migrate --sql` prints"
            ) from None
        if isinstance(cause, driver.errors):
            unavailable = driver.translated(cause)
            raise (postgres_errors.why_never(cause, driver.where) or unavailable) from cause
        raise
