"""Connections to one Redis: borrowed for one request, or held by one thread that waits. None survives a fork."""

import os
import select
import threading
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

from taskkitx.backends.redis.errors import BAD_DATA, is_read_only, translated
from taskkitx.backends.redis.scripts import Script
from taskkitx.backends.redis.server import Connection, Server
from taskkitx.errors import StoreError
from taskkitx.wakeup import Bell

MOST_IDLE = 32
TROUBLE = (redis.RedisError, OSError, *BAD_DATA)
NOTHING = object()
"""What is heard when nothing is said."""


class Connections:
    """Requests and their answers; errors are ours."""

    def __init__(self, server: Server) -> None:
        """Connects to nothing yet."""
        self.server = server
        self._idle: list[Connection] = []
        self._pid = os.getpid()

    def run(self, script: Script, *arguments: Any) -> Any:
        """The answer of a script; one round trip, two where Redis does not know it yet."""

        def work(connection: Connection) -> Any:
            try:
                return ask(connection, b"EVALSHA", script.sha, 1, *arguments)
            except NoScriptError:
                return ask(connection, b"EVAL", script.source, 1, *arguments)

        return self._do(work)

    def ask(self, *command: Any) -> Any:
        """The answer to one command."""
        return self._do(lambda connection: ask(connection, *command))

    def ask_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to commands that are sent together, which is no transaction."""

        def work(connection: Connection) -> list[Any]:
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            return [_answer_or_error(connection) for _ in commands]

        answers: list[Any] = self._do(work) if commands else []
        for answer in answers:
            if isinstance(answer, redis.ResponseError):
                raise self.translated(answer) from answer
        return answers

    def _do(self, work: Callable[[Connection], Any]) -> Any:
        """Ask on an idle connection; when the server had closed that one, again on a new one (every verb of the port
        may be repeated)."""
        connection = self.idle_one()
        if connection is not None:
            try:
                return self._do_on(connection, work)
            except redis.ConnectionError:
                self.close()  # the others will have been closed with it
        try:
            return self._do_on(self.new(), work)
        except TROUBLE as error:
            raise self.translated(error) from error

    def _do_on(self, connection: Connection, work: Callable[[Connection], Any]) -> Any:
        try:
            answer = work(connection)
        except redis.ConnectionError:
            drop(connection)
            raise
        except TROUBLE as error:
            if isinstance(error, redis.ResponseError) and not is_read_only(error):
                self.give_back(connection)
            else:
                drop(connection)
            raise self.translated(error) from error
        except BaseException:
            drop(connection)
            raise
        self.give_back(connection)
        return answer

    def translated(self, error: Exception) -> StoreError:
        """The same fact as an error of ours."""
        return translated(error, self.server.where)

    def new(self) -> Connection:
        """Another connection. Raises redis-py's errors."""
        connection = self.server.connection()
        connection.connect()
        return connection

    def idle_one(self) -> Connection | None:
        """One that is not used, and may have been closed by the server meanwhile."""
        if self._pid != os.getpid():
            # They are the parent's: only our descriptors are closed (redis-py tells no server of it).
            self._pid = os.getpid()
            self.close()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def give_back(self, connection: Connection | None) -> None:
        """Nobody uses it any more, and nothing is on its way."""
        if connection is None:
            return
        if len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            drop(connection)

    def close(self) -> None:
        """Close what is idle; the next request connects anew."""
        while self._idle:
            drop(self._idle.pop())


class Line:
    """A connection on which the server speaks when it likes. One thread listens; any thread may close it."""

    def __init__(self, connections: Connections, connection: Connection | None = None) -> None:
        """On this connection, or on a new one. Raises redis-py's errors."""
        self._connections = connections
        self._connection = connection or connections.new()
        self._bell = Bell()
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        # redis-py offers no other way to wait for a connection and for something else.
        socket: Any = getattr(self._connection, "_sock")  # noqa: B009
        self._poll.register(socket.fileno(), select.POLLIN)
        self._listening = threading.Lock()
        self.open = True

    def ask(self, *command: Any) -> Any:
        """The answer to a command."""
        return ask(self._connection, *command)

    def send(self, *command: Any) -> None:
        """A command whose answer is waited for with `receive`."""
        packed = self._connection.pack_command(*command)
        self._connection.send_packed_command(packed, check_health=False)

    def receive(self, timeout: float) -> Any:
        """What the server says; NOTHING when `timeout` seconds have passed or the line was closed."""
        with self._listening:
            if not self.open:
                return NOTHING
            if not self._connection.can_read(0):
                self._poll.poll(max(0.0, timeout) * 1000)
                if not self.open or not self._connection.can_read(0):
                    return NOTHING
            return self._connection.read_response()

    def close(self, leave: "Callable[[Connection], object] | None" = None) -> None:
        """Listen no more; a `receive` in another thread returns.

        `leave` makes the connection fit for others, who then get it; without, it is closed.
        """
        if not self.open:
            return
        self.open = False
        self._bell.ring()
        with self._listening:
            try:
                if leave is not None:
                    leave(self._connection)
                    self._connections.give_back(self._connection)
                    return
            except (redis.RedisError, OSError):
                pass  # it is broken, and of no use to others
            finally:
                self._bell.close()
            drop(self._connection)


def ask(connection: Connection, *command: Any) -> Any:
    """The answer to a command. Raises redis-py's errors."""
    connection.send_packed_command(connection.pack_command(*command), check_health=False)
    return connection.read_response()


def drop(connection: Connection | None) -> None:
    """Close it."""
    if connection is not None:
        connection.disconnect()


def _answer_or_error(connection: Connection) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error
