"""Hints by publish and subscribe: a thread that calls back, and a wait for one task's end."""

import threading
from collections.abc import Callable
from typing import Any, Self

import redis

from taskkitx.backends.redis.connections import NOTHING, Connections, Line, ask
from taskkitx.backends.redis.fields import to_text
from taskkitx.backends.redis.server import Connection
from taskkitx.wakeup import Bell

SILENCE = 15.0
"""Seconds without a word after which the server is asked whether it is still there; as many more, and it is gone."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

OnWork = Callable[[frozenset[str] | None], None]
Broken = (redis.RedisError, OSError)


class HintListener:
    """Calls back with the groups that may have work; after a reconnect with None, for what was not heard meanwhile."""

    def __init__(self, connections: Connections, channel: str, on_work: OnWork) -> None:
        """Listens at once, in a thread of its own. Raises redis-py's errors."""
        self._connections = connections
        self._channel = channel
        self._on_work = on_work
        self._end = Bell()
        self._open = True
        self._line: Line | None = subscribed(connections, channel)
        self._thread = threading.Thread(target=self._run, name="taskkitx hints", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while self._open:
            try:
                if self._line is None:
                    self._line = subscribed(self._connections, self._channel)
                    self._on_work(None)
                pause = FIRST_PAUSE
                self._listen(self._line)
            except Broken:
                self._hang_up()
                self._end.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        self._hang_up()

    def _listen(self, line: Line) -> None:
        asked = False
        while self._open:
            heard = line.receive(SILENCE)
            if heard is not NOTHING:
                asked = False
                self._tell(line, heard)
            elif asked and self._open:
                raise redis.TimeoutError("the server has fallen silent")
            elif self._open:
                line.send("PING")
                asked = True

    def _tell(self, line: Line, heard: Any) -> None:
        """This hint, and those that came with it, in one call."""
        groups: set[str] = set()
        while heard is not NOTHING:
            if heard[0] == b"message":
                groups.update(to_text(heard[2]).split("\n"))
            heard = line.receive(0)
        if groups and self._open:
            self._on_work(None if "" in groups else frozenset(groups))

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def close(self) -> None:
        """End the interest; returns when no further call will be made."""
        if not self._open:
            return
        self._open = False
        self._end.ring()
        line = self._line
        if line is not None:
            line.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class HintWatch:
    """Waits for the end of one task."""

    def __init__(self, connections: Connections, channel: str) -> None:
        """Watches at once. Raises redis-py's errors."""
        self._connections = connections
        self._channel = channel
        self._open = True
        self._line: Line | None = briefly_subscribed(connections, channel)

    def wait(self, timeout: float) -> None:
        """Return when the task may have finished, at the latest after `timeout` seconds."""
        try:
            if self._line is None and self._open:
                self._line = subscribed(self._connections, self._channel)
                return  # it may have ended while nobody listened
            if self._line is not None:
                self._line.receive(timeout)
        except Broken:
            # Whoever waits looks next, and meets the trouble itself.
            self._hang_up()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def close(self) -> None:
        """End the interest, and a wait in another thread with it."""
        self._open = False
        line = self._line
        if line is not None:
            line.close(lambda connection: _unsubscribe(connection, self._channel))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def subscribed(connections: Connections, channel: str) -> Line:
    """A line of its own on which this channel is heard."""
    line = Line(connections)
    try:
        line.ask("SUBSCRIBE", channel)
    except Broken:
        line.close()
        raise
    return line


def briefly_subscribed(connections: Connections, channel: str) -> Line:
    """As `subscribed`, on an idle connection where there is one: connecting would take longer than many a task."""
    idle = connections.idle_one()
    if idle is not None:
        line = Line(connections, idle)
        try:
            line.ask("SUBSCRIBE", channel)
        except Broken:
            line.close()
            connections.close()  # the server will have closed the others, too
        else:
            return line
    return subscribed(connections, channel)


def _unsubscribe(connection: Connection, channel: str) -> None:
    """What was published before may come first."""
    answer = ask(connection, "UNSUBSCRIBE", channel)
    while answer[0] != b"unsubscribe":
        answer = connection.read_response()
