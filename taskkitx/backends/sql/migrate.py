"""Bringing a schema up to date with Alembic, which is imported only when there is something to do."""

import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

from taskkitx.backends.sql.version import VERSION

SCRIPTS = "taskkitx:backends/sql/migrations"
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

    from taskkitx.backends.sql.schema import metadata

    made: list[str] = []
    for table in metadata.sorted_tables:
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


if __name__ == "__main__":
    SQLITE_SCHEMA.write_text(schema_of_an_empty_file())
