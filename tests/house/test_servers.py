"""The private servers that other tests rely on: kept data, ends and starts, and what happens when one is absent."""

from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
import redis

from tests import conftest, servers
from tests.servers import MariaDB, Postgres, Redis


def put_and_count_postgres(url):
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        return connection.execute("SELECT count(*) FROM kept").fetchall()[0][0]


def put_and_count_mariadb(url):
    parts = urlsplit(url)
    with closing(
        pymysql.connect(
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            database=parts.path[1:],
            autocommit=True,
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        cursor.execute("INSERT INTO kept VALUES (1)")
        cursor.execute("SELECT count(*) FROM kept")
        return cursor.fetchall()[0][0]


def put_and_count_redis(url):
    with closing(redis.Redis.from_url(url)) as client:
        return client.incr("kept")


@pytest.mark.parametrize(
    ("fixture", "put_and_count"),
    [
        ("postgres", put_and_count_postgres),
        ("mariadb", put_and_count_mariadb),
        ("redis_server", put_and_count_redis),
    ],
)
def test_a_private_server_keeps_its_data_through_kill_and_restart(request, fixture, put_and_count):
    # Given a running server with something in it
    server = request.getfixturevalue(fixture)
    url = server.fresh_url()
    assert put_and_count(url) == 1

    # When it is killed, started, and restarted in good order
    server.kill()
    assert not server.running
    server.start()
    assert put_and_count(url) == 2
    server.restart()

    # Then everything is there, and a fresh database is empty
    assert put_and_count(url) == 3
    assert put_and_count(server.fresh_url()) == 1


@pytest.mark.parametrize("kind", [Postgres, MariaDB, Redis])
@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_an_absent_server_fails_in_ci_and_skips_elsewhere(monkeypatch, kind, ci, outcome):
    # Given a machine without servers
    def nowhere(program, places):
        raise servers.ServerAbsent(f"no {program}")

    monkeypatch.setattr(servers, "_folder_of", nowhere)
    monkeypatch.setenv("CI", ci)

    # When a test asks for one, then the outcome depends on where it runs
    with pytest.raises(outcome, match="no "):
        next(conftest._private(kind))
