"""One connection of ours to a MySQL server, whichever driver made it, and what we ask of every new one.

Several statements travel in one packet where they can; a transaction begins with the first of them.
"""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

from taskkitx.backends.sql import mysql_errors
from taskkitx.backends.sql.mysql_url import MySqlUrl
from taskkitx.backends.sql.server import Trouble
from taskkitx.backends.sql.session import Row
from taskkitx.errors import ConfigurationError, StoreError

IO_TIMEOUT = 10
"""Seconds without a word from the server after which it is taken for gone."""
_HEAD = 1024
"""Bytes of a packet left for what is not the statement."""

_SETTINGS = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 3",
    "SHOW VARIABLES WHERE Variable_name IN ('version', 'tx_isolation', 'transaction_isolation', "
    "'log_bin', 'binlog_format', 'max_allowed_packet')",
)
_OLDEST = {"MariaDB": (10, 6, 0), "MySQL": (8, 0, 1)}


class Result(NamedTuple):
    """What one statement came to."""

    rows: list[Row]
    found: int
    """How many rows its WHERE found, or it inserted."""


@dataclass(frozen=True, slots=True)
class Module:
    """A driver: pymysql or MySQLdb."""

    name: str
    connect: Any
    error: type[Exception]
    connection: type[Any]
    cursor: type[Any]
    flags: int


def module(name: str) -> Module:
    """The driver of this name, imported. Raises ImportError; for mysqlclient, which no extra brings, our own."""
    try:
        driver = import_module(name)
    except ImportError:
        if name != "MySQLdb":
            raise
        raise ConfigurationError(
            "mysql+mysqldb:// needs the driver mysqlclient, which is not installed: pip install mysqlclient, "
            "or write mysql:// for pymysql"
        ) from None
    client = import_module(f"{name}.constants").CLIENT
    return Module(
        name,
        driver.connect,
        driver.Error,
        import_module(f"{name}.connections").Connection,
        import_module(f"{name}.cursors").Cursor,
        client.FOUND_ROWS | client.MULTI_STATEMENTS,
    )


class Link:
    """A connection while nobody else uses it."""

    def __init__(self, driver: Module, connection: Any, *, packet: int = 2**24) -> None:
        """`packet`: the largest the server takes, in bytes."""
        self._driver = driver
        self.connection = connection
        self.packet = packet
        self._pending = ""
        self._open = False
        self._speaking = False

    @property
    def is_idle(self) -> bool:
        """Whether it can be used again: in step with the server, and outside any transaction by its word and ours."""
        return not self._speaking and not self._open and not in_transaction(self.connection)

    def run(self, statements: Sequence[str]) -> list[Result]:
        """Run statements in order, in as few packets as hold them; the first that fails ends it."""
        results: list[Result] = []
        for packet in self._packets(statements):
            results += self._send(packet)
        return results

    def run_transaction(self, statements: Sequence[str]) -> list[Result]:
        """As `run`, in a transaction of its own."""
        with self.transaction():
            results = self.run([*statements, "COMMIT"])
            self._open = False
        return results[:-1]

    def _packets(self, statements: Sequence[str]) -> Generator[list[str]]:
        room = self.packet - _HEAD
        packet: list[str] = []
        size = 0
        for statement in statements:
            if len(statement) > room:
                raise mysql_errors.PacketTooLarge(
                    f"{len(statement)} bytes, max_allowed_packet is {self.packet}"
                )
            if packet and size + len(statement) > room:
                yield packet
                packet, size = [], 0
            packet.append(statement)
            size += len(statement) + 1
        if packet:
            yield packet

    def _send(self, statements: list[str]) -> list[Result]:
        """One packet; its statements are ASCII, without parameters."""
        begun, self._pending = self._pending, ""
        text = ";".join([begun, *statements] if begun else statements)
        # Until the last result is read, an interrupted thread leaves a connection that answers the wrong question.
        self._speaking = True
        try:
            results = list(self._results(text))
        except self._driver.error as error:
            self._speaking = mysql_errors.trouble(error) is Trouble.BROKEN
            raise
        self._speaking = False
        return results[1:] if begun else results

    def _results(self, text: str) -> Generator[Result]:
        with self.connection.cursor(self._driver.cursor) as cursor:
            cursor.execute(text)
            yield _result(cursor)
            while cursor.nextset():
                yield _result(cursor)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit at the end of the block, roll back when an exception passes."""
        self._pending, self._open = "BEGIN", True
        try:
            yield
            if self._open:
                self.end("COMMIT")
        except BaseException:
            if self._open and not self._speaking:
                self.end("ROLLBACK")
            raise

    def end(self, how: str) -> None:
        """End the transaction, if a statement has begun it."""
        if self._pending:
            self._pending = ""
        else:
            self._send([how])
        self._open = False

    def close(self) -> None:
        """Close it, whatever state it is in; never raises."""
        try:
            self.connection.close()
        except self._driver.error:
            pass  # it was closed already


_IN_TRANSACTION = 1


def in_transaction(connection: Any) -> bool:
    """Whether a transaction is open, as the server said last; mysqlclient does not pass it on."""
    return bool(getattr(connection, "server_status", 0) & _IN_TRANSACTION)


def _result(cursor: Any) -> Result:
    rows = list(cursor.fetchall()) if cursor.description else []
    return Result(rows, cursor.rowcount)


class MySqlDriver:
    """See `Driver`."""

    def __init__(self, url: MySqlUrl) -> None:
        """Connects to what the URL names. Raises ImportError or ConfigurationError without the driver."""
        self._url = url
        self.where = url.where
        self.module = module(url.driver)
        self.errors: tuple[type[Exception], ...] = (
            self.module.error,
            mysql_errors.PacketTooLarge,
            UnicodeEncodeError,
            OverflowError,
        )

    def connect(self, timeout: float) -> Link:
        link = Link(self.module, self.connect_plainly(timeout, self.module.flags))
        found = {str(row[0]): str(row[1]) for row in link.run(_SETTINGS)[-1].rows}
        check_server(found, self.where)
        link.packet = int(found["max_allowed_packet"])
        return link

    def connect_plainly(self, timeout: float, flags: int = 0) -> Any:
        """A connection as the driver makes it. Raises ConfigurationError when the driver lacks what login needs."""
        arguments = self._url.arguments()
        if self.module.name == "pymysql":
            arguments["write_timeout"] = IO_TIMEOUT
        try:
            return self.module.connect(
                **arguments,
                autocommit=True,
                client_flag=flags,
                connect_timeout=max(1, round(timeout)),
                read_timeout=IO_TIMEOUT,
            )
        except RuntimeError as error:  # pymysql's way to say that it needs a package
            raise ConfigurationError(
                f"{self.where} cannot be logged into: {error} (pip install 'pymysql[rsa]')"
            ) from None

    def is_idle(self, connection: Link) -> bool:
        return connection.is_idle

    def disconnect(self, connection: Link) -> None:
        connection.close()

    def trouble(self, error: Exception) -> Trouble:
        return mysql_errors.trouble(error)

    def translated(self, error: Exception) -> StoreError:
        return mysql_errors.translated(error, self.where)


def check_server(found: dict[str, str], where: str) -> None:
    """Refuse a server that cannot do what we rely on. Raises ConfigurationError."""
    version = found["version"]
    kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if numbers < _OLDEST[kind]:
        oldest = ".".join(map(str, _OLDEST[kind]))
        raise ConfigurationError(
            f"{where} is {kind} {version}, which cannot skip locked rows: taskkitx needs {oldest} or newer"
        )
    isolation = found.get("transaction_isolation") or found.get("tx_isolation")
    if isolation != "READ-COMMITTED":
        raise ConfigurationError(
            f"{where} stays in isolation {isolation} when READ COMMITTED is asked for: "
            "whatever stands between (a proxy?) has to let SET SESSION TRANSACTION ISOLATION LEVEL pass"
        )
    if found.get("log_bin") == "ON" and found.get("binlog_format") == "STATEMENT":
        raise ConfigurationError(
            f"{where} logs statements (binlog_format=STATEMENT), which READ COMMITTED does not allow: "
            "set binlog_format to ROW or MIXED"
        )
