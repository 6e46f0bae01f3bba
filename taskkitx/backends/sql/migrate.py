"""Bringing a schema up to date with Alembic, which is imported only when there is something to do."""

import sqlite3
from io import StringIO
from typing import Any

SCRIPTS = "taskkitx:backends/sql/migrations"


def create(connection: sqlite3.Connection) -> None:
    """Make all tables of a new SQLite file, inside the caller's transaction; a twin that was faster is fine."""
    upgrade(connection)


def upgrade(connection: sqlite3.Connection) -> None:
    """Apply all revisions that a SQLite file lacks, inside the caller's transaction."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: _Borrowed(connection), poolclass=StaticPool)

    # The caller holds the transaction, and SQLAlchemy must neither end it nor begin its own.
    @event.listens_for(engine, "do_connect")
    def _no_connect(*_: Any) -> None:
        return None

    with engine.connect() as borrowed:
        _run(borrowed)


class _Borrowed:
    """A driver connection whose transaction belongs to somebody else."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Left to the owner."""

    def rollback(self) -> None:
        """Left to the owner."""

    def close(self) -> None:
        """Left to the owner."""


def _run(connection: Any) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Any:
    from alembic.config import Config

    config = Config(output_buffer=StringIO())
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    return config


def statements(dialect: str = "sqlite") -> str:
    """The SQL of all revisions, for people who apply it themselves."""
    from alembic import command
    from alembic.config import Config

    output = StringIO()
    config = Config(output_buffer=output)
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.set_main_option("dialect", dialect)
    command.upgrade(config, "head", sql=True)
    return output.getvalue()
