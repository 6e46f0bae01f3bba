"""A new SQLite file and a migrated one are the same."""

import sqlite3
from pathlib import Path

from taskkitx.backends.sql.migrate import SQLITE_SCHEMA, create, schema_of_an_empty_file, upgrade


def _schema(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE name LIKE 'taskkitx%' AND sql IS NOT NULL "
        "AND name <> 'taskkitx_version' ORDER BY name"
    ).fetchall()
    connection.close()
    return [(name, " ".join(sql.split())) for name, sql in rows]


def _made_by(step: object, path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    step(connection)  # type: ignore[operator]  # one of the two functions under test
    connection.execute("COMMIT")
    (version,) = connection.execute("SELECT version_num FROM taskkitx_version").fetchone()
    connection.close()
    return [*_schema(path), ("version", version)]


def test_a_new_file_has_the_schema_that_all_revisions_make(tmp_path: Path) -> None:
    created = _made_by(create, tmp_path / "created.db")
    migrated = _made_by(upgrade, tmp_path / "migrated.db")

    assert created == migrated
    assert len(created) > 10


def test_the_shipped_text_is_what_the_metadata_says() -> None:
    assert SQLITE_SCHEMA.read_text() == schema_of_an_empty_file()
