"""Bringing a schema up to date with Alembic, which is imported only when there is something to do."""

import sqlite3
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from taskkitx.backends.sql.schema_names import Naming
from taskkitx.backends.sql.version import VERSION
from taskkitx.errors import SchemaMismatch

SCRIPTS = "taskkitx:backends/sql/migrations"
NAMING = Naming()
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps what it works on in globals: two threads would work on each other's connections."""
SQLITE_SCHEMA = Path(__file__).with_name("sqlite_schema.sql")


def create(connection: sqlite3.Connection) -> None:
    """Make all tables of a new SQLite file, inside the caller's transaction; a twin that was faster is fine.

    From a file, because importing Alembic would cost every first start most of a second.
    """
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'taskkitx_version'").fetchone():
        return
    for statement in SQLITE_SCHEMA.read_text().split(";\n"):
        connection.execute(statement)
    connection.execute(
        "CREATE TABLE taskkitx_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    )
    connection.execute("INSERT INTO taskkitx_version (version_num) VALUES (?)", (VERSION,))


def schema_of_an_empty_file() -> str:
    """The text of `sqlite_schema.sql`, made from the metadata."""
    from sqlalchemy.dialects import sqlite

    from taskkitx.backends.sql.schema import tables

    made: list[str] = []
    for table in tables("sqlite").sorted_tables:
        made += [
            "\n".join(line.replace("\t", "    ").rstrip() for line in text.strip().splitlines())
            for text in (
                str(element.compile(dialect=sqlite.dialect())) for element in _elements(table)
            )
        ]
    return ";\n\n".join(made) + ";\n"


def _elements(table: Any) -> list[Any]:
    """What a table is created by: itself, and its indexes in order of name."""
    from sqlalchemy.schema import CreateIndex, CreateTable

    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    return [CreateTable(table), *map(CreateIndex, indexes)]


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
        _run(borrowed, NAMING)


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


def upgrade_server(engine: str, connect: Callable[[], Any], naming: Naming, lock: str) -> None:
    """Apply all revisions that a server's database lacks, in one transaction that holds `lock` (a statement).

    `connect` gives a driver connection that does not commit by itself.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    made = create_engine(f"{engine}://", creator=connect, poolclass=NullPool)
    with made.begin() as connection:
        connection.execute(text(lock))
        _run(connection, naming)


def _run(connection: Any, naming: Naming) -> None:
    """Raises SchemaMismatch where the store says it has a revision that never was."""
    from alembic import command, util

    config = _config(naming)
    config.attributes["connection"] = connection
    try:
        with _ONE_AT_A_TIME:
            command.upgrade(config, "head")
    except util.CommandError as error:
        raise SchemaMismatch(
            f"the store's schema cannot be brought to {VERSION}, which this taskkitx needs: {error}; "
            "it was left as it is: restore it from a backup, or use the taskkitx that made it"
        ) from None


def _config(naming: Naming, output: StringIO | None = None) -> Any:
    from alembic.config import Config

    config = Config(output_buffer=output or StringIO())
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.attributes["naming"] = naming.options()
    return config


def statements(dialect: str = "sqlite", naming: Naming = NAMING) -> str:
    """The SQL of all revisions, for people who apply it themselves."""
    from alembic import command

    output = StringIO()
    config = _config(naming, output)
    config.set_main_option("dialect", dialect)
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head", sql=True)
    return output.getvalue()


if __name__ == "__main__":
    SQLITE_SCHEMA.write_text(schema_of_an_empty_file())
