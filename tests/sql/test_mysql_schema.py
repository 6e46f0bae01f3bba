"""The tables of a MySQL store: what the metadata says, made by hand or by us, also after an interruption."""

from contextlib import closing

import pymysql
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from pymysql.constants import CLIENT
from sqlalchemy import create_engine
from sqlalchemy.dialects import mysql

from taskkitx import Task, connect
from taskkitx.backends.sql.events import SqlBridge
from taskkitx.backends.sql.mysql_schema import BytewiseName
from taskkitx.backends.sql.schema import tables
from taskkitx.cli import main
from taskkitx.errors import ConfigurationError
from taskkitx.outcome import Failed, Fault, Succeeded
from taskkitx.record import Lost, WorkerRecord
from tests.servers import connect_plainly


def opened(url):
    backend, _ = connect(url)
    backend.open()
    return backend


def execute(url, statement):
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def described(url):
    """Every table as the server prints it."""
    names = [row[0] for row in execute(url, "SHOW TABLES")]
    return {name: execute(url, f"SHOW CREATE TABLE {name}")[0][1] for name in names}


def differs(_, __, ___, found, wanted):
    """What alembic cannot compare by itself: a type that is spelt differently for each of the two servers."""
    name = wanted.dialect_impl(mysql.dialect())
    if not isinstance(name, BytewiseName):
        return None
    return (found.length, found.collation) != (name.length, "utf8mb4_nopad_bin")


def test_the_reflected_schema_is_what_the_metadata_says(mysql_url):
    opened(mysql_url).close()
    engine = create_engine(mysql_url.replace("mysql:", "mysql+pymysql:"))

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": differs,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: name != "taskkitx_version",
            },
        )
        differences = compare_metadata(context, tables("mysql"))
    engine.dispose()

    assert differences == []


def test_the_printed_statements_make_the_same_tables(mariadb):
    by_migrate, by_hand = mariadb.fresh_url(), mariadb.fresh_url()
    run = CliRunner().invoke

    printed = run(main, ["migrate", "--sql", "--url", by_hand])
    with closing(connect_plainly(by_hand)) as connection:
        connection.client_flag |= CLIENT.MULTI_STATEMENTS
        connection.connect()
        with connection.cursor() as cursor:
            cursor.execute(printed.output)
            while cursor.nextset():
                continue
    made = run(main, ["migrate", "--url", by_migrate])

    assert (printed.exit_code, made.exit_code) == (0, 0), made.output
    assert described(by_hand) == described(by_migrate)
    assert run(main, ["status", "--url", by_hand]).exit_code == 0


def test_names_groups_and_keys_are_compared_bytewise(mysql_url):
    opened(mysql_url).close()

    found = execute(
        mysql_url,
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = database() "
        "AND table_name = 'taskkitx_task' AND column_name IN ('id', 'grp', 'name', 'unique_key', 'worker_id')",
    )

    assert found == (("utf8mb4_nopad_bin",),)


@pytest.mark.parametrize(
    "undo",
    [
        ["DROP TABLE taskkitx_event", "DELETE FROM taskkitx_version"],
        ["DROP INDEX taskkitx_task_scheduled ON taskkitx_task", "DROP TABLE taskkitx_version"],
        ["DROP TABLE taskkitx_task", "DROP TABLE taskkitx_worker", "DROP TABLE taskkitx_version"],
    ],
)
def test_a_migration_that_was_interrupted_goes_on_where_it_was(mysql_url, undo):
    """MySQL commits each of its statements by itself. Seen to fail with tables and indexes made unasked."""
    opened(mysql_url).close()
    whole = described(mysql_url)
    for statement in undo:
        execute(mysql_url, statement)

    answer = CliRunner().invoke(main, ["migrate", "--url", mysql_url])

    assert answer.exit_code == 0, answer.output
    assert described(mysql_url) == whole


def test_stores_with_prefixes_of_their_own(mysql_url):
    stores = [opened(f"{mysql_url}{name}") for name in ("?prefix=jobs_", "")]
    tasks = [Task.init("g", "n", b"") for _ in stores]

    for backend, task in zip(stores, tasks, strict=True):
        backend.put([task])

    for backend, task in zip(stores, tasks, strict=True):
        claims = backend.claim("w", {"g": 9})
        assert [claim.id for claim in claims] == [task.id]
        assert set(backend.finish("w", [Succeeded(claims[0], b"")])) == {task.id}
        backend.close()


def test_looking_creates_nothing(mysql_url):
    answer = CliRunner().invoke(main, ["status", "--url", mysql_url])

    assert answer.exit_code == 78
    assert "holds no tables of taskkitx: run `taskkitx migrate`" in answer.output
    assert described(mysql_url) == {}


@pytest.mark.parametrize(("version", "word"), [("0000", "taskkitx migrate"), ("z", "newer")])
def test_another_version_is_a_clear_error(mysql_url, version, word):
    opened(mysql_url).close()
    execute(mysql_url, f"UPDATE taskkitx_version SET version_num = '{version}'")

    with pytest.raises(ConfigurationError, match=word):
        opened(mysql_url)


def test_a_version_that_never_was_is_left_as_it_is(mysql_url):
    opened(mysql_url).close()
    execute(mysql_url, "UPDATE taskkitx_version SET version_num = '0000'")

    answer = CliRunner().invoke(main, ["migrate", "--url", mysql_url])

    assert answer.exit_code == 78
    assert "cannot be brought to" in answer.output


def test_without_the_right_to_make_tables(mariadb):
    url = mariadb.fresh_url()
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        database = url.rpartition("/")[2]
        cursor.execute("CREATE OR REPLACE USER reader@'127.0.0.1'")
        cursor.execute(f"GRANT SELECT ON {database}.* TO reader@'127.0.0.1'")

    with pytest.raises(ConfigurationError, match="that this user may not make") as caught:
        opened(url.replace("app@", "reader@"))

    assert not isinstance(caught.value.__cause__, pymysql.Error)


def test_the_privileges_that_are_documented_are_enough(mariadb):
    url = mariadb.fresh_url()
    database = url.rpartition("/")[2]
    working = "SELECT, INSERT, UPDATE, DELETE"
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        for user, may in (("worker", working), ("migrator", f"{working}, CREATE, INDEX")):
            cursor.execute(f"CREATE OR REPLACE USER {user}@'127.0.0.1'")
            cursor.execute(f"GRANT {may} ON {database}.* TO {user}@'127.0.0.1'")

    opened(url.replace("app@", "migrator@")).close()
    backend = opened(url.replace("app@", "worker@"))
    backend.register(WorkerRecord("w"), ttl=30.0)
    backend.put([Task.init("g", "n", b"", unique_key=key) for key in ("a", "a", "b")])
    done, lost = backend.claim("w", {"g": 2})
    backend.finish("w", [Failed(done, Fault("E", "message"))])
    backend.restore("w", charged={lost.id: Lost("gone")})
    backend.pause(None)
    backend.resume(None)
    backend.fire("scheduler", None, b"state", [])
    SqlBridge(backend).send_event({"name": "pause", "groups": None})
    backend.purge()
    backend.close()
