"""Control events as entries of a stream: who was away for a while reads on where it was."""

import threading
from collections.abc import Iterator
from typing import Any

import redis

from taskkitx.backends.redis.backend import RedisBackend
from taskkitx.backends.redis.connections import NOTHING, Line
from taskkitx.backends.redis.hints import LONGEST_PAUSE, SILENCE, Broken
from taskkitx.event import ControlEvent, decode_control_event, encode_control_event

KEPT = 1000
BEGINNING = b"0-0"
_PAGE = 100


class RedisBridge:
    """The event bridge of a store in Redis."""

    def __init__(self, backend: RedisBackend) -> None:
        """Works through `backend`'s connections."""
        self._connections = backend.connections
        self._key = backend.keys.events
        self._ended = threading.Event()
        self._lines: set[Line] = set()

    def send_event(self, event: ControlEvent) -> None:
        """Keep the event for everybody who listens."""
        self._connections.ask(
            "XADD", self._key, "MAXLEN", "~", KEPT, "*", "e", encode_control_event(event)
        )

    def receive_events(self) -> Iterator[ControlEvent]:
        """Events sent from this call on."""
        if self._ended.is_set():
            self._ended = threading.Event()
        # What was sent before the first `next` must not be lost, hence no generator in this method itself.
        try:
            line = self._connected()
            return self._events(self._ended, line, last_entry(line, self._key))
        except Broken:
            return self._events(self._ended, None, None)

    def _connected(self) -> Line:
        line = Line(self._connections)
        self._lines.add(line)
        return line

    def _hang_up(self, line: Line | None) -> None:
        if line is not None:
            self._lines.discard(line)
            line.close()

    def _events(
        self, ended: threading.Event, line: Line | None, seen: bytes | None
    ) -> Iterator[ControlEvent]:
        while not ended.is_set():
            try:
                if line is None:
                    line = self._connected()
                    seen = resumed(line, self._key, seen)
                entries = self._next_entries(line, seen or BEGINNING)
            except Broken:
                self._hang_up(line)
                line = None
                ended.wait(LONGEST_PAUSE)
                continue
            for entry, fields in entries:
                seen = entry
                event = decode_control_event(
                    dict(zip(fields[::2], fields[1::2], strict=True))[b"e"]
                )
                if event is not None:
                    yield event
        self._hang_up(line)

    def _next_entries(self, line: Line, seen: bytes) -> list[tuple[bytes, list[bytes]]]:
        line.send(
            *("XREAD", "COUNT", _PAGE, "BLOCK", int(SILENCE * 1000)),
            *("STREAMS", self._key, seen),
        )
        answer: Any = line.receive(SILENCE * 2)
        if answer is NOTHING and line.open:
            raise redis.TimeoutError("the server has fallen silent")
        return [] if answer is NOTHING or answer is None else answer[0][1]

    def close(self) -> None:
        """End every iteration of this bridge."""
        self._ended.set()
        for line in list(self._lines):
            self._hang_up(line)


def last_entry(line: Line, key: str) -> bytes:
    """The newest entry there is."""
    newest = line.ask("XREVRANGE", key, "+", "-", "COUNT", 1)
    return newest[0][0] if newest else BEGINNING


def resumed(line: Line, key: str, seen: bytes | None) -> bytes:
    """Where to read on: where we were, unless the server has not come so far (it lost data)."""
    newest = last_entry(line, key)
    return newest if seen is None else min(newest, seen, key=_number)


def _number(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)
