"""Tasks as part of the caller's own transaction: there if and only if it commits, whatever connection it is on."""

import sqlite3
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
from psycopg.rows import dict_row
from pymysql.cursors import DictCursor
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from taskkitx import ConfigurationError, StoreRefused, Task, connect, make_kit
from tests.processes.ledger import Handler

PATIENCE = 10.0


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def kit(url, tmp_path):
    kit = make_kit(Handler(str(tmp_path / "ledger")), url)
    kit.backend.open()
    yield kit
    kit.backend.close()


@contextmanager
def plain(url):
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            yield connection
    elif url.startswith("mysql"):
        with pymysql_transaction(url) as connection:
            yield connection
    else:
        with psycopg.connect(url) as other:
            yield other


@contextmanager
def pymysql_transaction(url, **options):
    """pymysql begins at the first statement and leaves the end to the caller."""
    parts = urlsplit(url)
    with pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        database=parts.path.removeprefix("/"),
        **options,
    ) as connection:
        yield connection
        connection.commit()


@contextmanager
def with_rows_as_dictionaries(url):
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.row_factory = sqlite3.Row
            yield connection
    elif url.startswith("mysql"):
        with pymysql_transaction(url, cursorclass=DictCursor, charset="latin1") as connection:
            yield connection
    else:
        with psycopg.connect(url, row_factory=dict_row) as other:
            yield other


@contextmanager
def engine_of(url):
    engine = create_engine(
        url.replace("postgresql:", "postgresql+psycopg:").replace("mysql:", "mysql+pymysql:")
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def sqlalchemy_connection(url):
    with engine_of(url) as engine, engine.begin() as connection:
        yield connection


@contextmanager
def sqlalchemy_session(url):
    with engine_of(url) as engine, Session(engine) as session, session.begin():
        yield session


every_kind = pytest.mark.parametrize(
    "transaction", [plain, with_rows_as_dictionaries, sqlalchemy_connection, sqlalchemy_session]
)


def put_in(kit, connection, **options):
    return kit.initiate_task("default", "noop", {}, connection=connection, **options).id


@every_kind
def test_a_commit_leaves_exactly_one(kit, url, transaction):
    with transaction(url) as connection:
        task_id = put_in(kit, connection)
        assert kit.backend.get_many([task_id]) == {}

    assert [claim.id for claim in kit.backend.claim("w", {"default": 9})] == [task_id]


@every_kind
def test_a_rollback_leaves_none(kit, url, transaction):
    with suppress(ZeroDivisionError), transaction(url) as connection:
        put_in(kit, connection)
        raise ZeroDivisionError

    assert kit.backend.claim("w", {"default": 9}) == []


@every_kind
def test_the_callers_own_work_goes_with_it(kit, url, transaction):
    """The driver's connection below is the very one the caller works on."""
    with suppress(ZeroDivisionError), transaction(url) as connection:
        task_id = put_in(kit, connection)
        kit.initiate_tasks(
            *[{"group": "default", "name": "noop", "data": {}}] * 3, connection=connection
        )
        assert put_in(kit, connection) != task_id
        raise ZeroDivisionError

    assert kit.backend.groups() == []


def test_another_host_hears_of_it_after_the_commit(postgres_url, tmp_path, monkeypatch):
    """By NOTIFY, as datagrams reach nobody there."""
    import threading

    kit = make_kit(Handler(str(tmp_path / "ledger")), postgres_url)
    kit.backend.open()
    monkeypatch.setenv("TASKKITX_RUN_DIR", str(tmp_path / "elsewhere"))
    other, _ = connect(postgres_url)
    listening, heard = threading.Event(), threading.Event()

    def on_work(groups):
        if groups is None:
            listening.set()
        elif "default" in groups:
            heard.set()

    with other.listen(on_work):
        assert listening.wait(PATIENCE)
        with psycopg.connect(postgres_url) as connection:
            put_in(kit, connection)
            before = heard.is_set()
        assert heard.wait(PATIENCE)
    assert not before
    kit.backend.close()
    other.close()


def test_a_connection_without_a_transaction_is_refused(postgres_url, tmp_path):
    kit = make_kit(Handler(str(tmp_path / "ledger")), postgres_url)

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        with pytest.raises(ConfigurationError, match="autocommit"):
            put_in(kit, connection)
        with connection.transaction():
            task_id = put_in(kit, connection)

    assert kit.backend.get_many([task_id]).keys() == {task_id}
    kit.backend.close()


def test_a_mysql_connection_without_a_transaction_is_refused(mysql_url, tmp_path):
    kit = make_kit(Handler(str(tmp_path / "ledger")), mysql_url)

    with pymysql_transaction(mysql_url, autocommit=True) as connection:
        with pytest.raises(ConfigurationError, match="autocommit"):
            put_in(kit, connection)
        connection.begin()
        task_id = put_in(kit, connection)

    assert kit.backend.get_many([task_id]).keys() == {task_id}
    kit.backend.close()


def test_a_key_that_was_taken_after_the_transaction_had_looked_around(mysql_url, tmp_path):
    """On MySQL, whose transactions go on seeing what was there when they began."""
    kit = make_kit(Handler(str(tmp_path / "ledger")), mysql_url)
    kit.backend.open()

    with pymysql_transaction(mysql_url) as connection:
        connection.cursor().execute("SELECT * FROM taskkitx_task")
        (other,) = kit.backend.put([Task.init("default", "n\u00e9'\\", b"", unique_key="k\u00e9")])
        answers = kit.backend.put(
            [Task.init("default", "n", b"", unique_key=key) for key in ("k\u00e9", "another")],
            connection=connection,
        )

    assert [answer.created for answer in answers] == [False, True]
    assert answers[0].id == other.id
    kit.backend.close()


def test_something_else_is_refused(kit):
    with pytest.raises(ConfigurationError, match="connection is object: give a"):
        put_in(kit, object())


def test_what_the_server_refuses_is_said_in_our_words(postgres_url, tmp_path):
    kit = make_kit(Handler(str(tmp_path / "ledger")), postgres_url)

    with psycopg.connect(postgres_url) as connection:
        with pytest.raises(StoreRefused):
            kit.backend.put([Task.init("g", "n", b"", unique_key="a\0b")], connection=connection)
        connection.rollback()
        task_id = put_in(kit, connection)

    assert kit.backend.get_many([task_id]).keys() == {task_id}
    kit.backend.close()
