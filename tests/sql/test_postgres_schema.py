"""The tables of a Postgres store: what the metadata says, under the names that were chosen."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import create_engine

from taskkitx import Task, connect
from taskkitx.backends.sql.schema import tables
from taskkitx.cli import main
from taskkitx.errors import ConfigurationError
from taskkitx.outcome import Succeeded


def opened(url):
    backend, _ = connect(url)
    backend.open()
    return backend


def described(url):
    """Columns, indexes and storage parameters, as the server prints them."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        indexes = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        options = connection.execute(
            "SELECT relname, reloptions FROM pg_class "
            "WHERE relname LIKE 'taskkitx%' AND reloptions IS NOT NULL ORDER BY 1"
        ).fetchall()
        return columns, indexes, options


def test_the_reflected_schema_is_what_the_metadata_says(postgres_url):
    opened(postgres_url).close()
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: name != "taskkitx_version",
            },
        )
        differences = compare_metadata(context, tables("postgresql"))
    engine.dispose()

    assert differences == []


def test_the_printed_statements_make_the_same_tables(postgres):
    by_migrate, by_hand = postgres.fresh_url(), postgres.fresh_url()
    run = CliRunner().invoke

    printed = run(main, ["migrate", "--sql", "--url", by_hand])
    with psycopg.connect(by_hand, autocommit=True) as connection:
        connection.execute(printed.output.encode())
    made = run(main, ["migrate", "--url", by_migrate])

    assert (printed.exit_code, made.exit_code) == (0, 0)
    assert described(by_hand) == described(by_migrate)
    assert run(main, ["status", "--url", by_hand]).exit_code == 0


def test_vacuum_comes_early_to_the_tasks(postgres_url):
    opened(postgres_url).close()

    _, _, options = described(postgres_url)

    assert options == [
        (
            "taskkitx_task",
            [
                "fillfactor=80",
                "autovacuum_vacuum_scale_factor=0",
                "autovacuum_vacuum_threshold=1000",
                "autovacuum_vacuum_cost_delay=0",
            ],
        )
    ]


def test_two_stores_in_one_database(postgres_url):
    """Under a schema and a prefix of their own."""
    names = ("?schema=jobs", "?schema=jobs&prefix=q_", "?prefix=other_", "")
    stores = [opened(f"{postgres_url}{name}") for name in names]
    tasks = [Task.init("g", "n", b"") for _ in stores]

    for backend, task in zip(stores, tasks, strict=True):
        backend.put([task])

    for backend, task in zip(stores, tasks, strict=True):
        claims = backend.claim("w", {"g": 9})
        assert [claim.id for claim in claims] == [task.id]
        assert set(backend.finish("w", [Succeeded(claims[0], b"")])) == {task.id}
        backend.close()


@pytest.mark.parametrize("name", ["schema=a.b", "prefix=Q_", "prefix=x'y", "schema=1a"])
def test_names_that_would_need_quotes_are_refused(postgres_url, name):
    with pytest.raises(ConfigurationError, match="lower-case letters"):
        connect(f"{postgres_url}?{name}")


def test_looking_creates_nothing(postgres_url):
    answer = CliRunner().invoke(main, ["status", "--url", postgres_url])

    assert answer.exit_code == 78
    assert "holds no tables of taskkitx: run `taskkitx migrate`" in answer.output
    assert described(postgres_url) == ([], [], [])


@pytest.mark.parametrize(("version", "word"), [("0000", "taskkitx migrate"), ("z", "newer")])
def test_another_version_is_a_clear_error(postgres_url, version, word):
    opened(postgres_url).close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE taskkitx_version SET version_num = %s", [version])

    with pytest.raises(ConfigurationError, match=word):
        opened(postgres_url)


def test_a_version_that_never_was_is_left_as_it_is(postgres_url):
    opened(postgres_url).close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE taskkitx_version SET version_num = '0000'")

    answer = CliRunner().invoke(main, ["migrate", "--url", postgres_url])

    assert answer.exit_code == 78
    assert "cannot be brought to" in answer.output
