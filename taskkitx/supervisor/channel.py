"""Notes between the supervisor and its children: one JSON object per line over a socket pair, never blocking."""

import json
import socket
from typing import Any

Note = dict[str, Any]

_CHUNK = 65536


class Channel:
    """One end of a pair. Notes wait in memory while the other end does not read; nobody ever waits for them."""

    def __init__(self, end: socket.socket) -> None:
        """Take over one end of a socket pair."""
        end.setblocking(False)
        self._end = end
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.closed = False
        """The other end is gone."""

    @staticmethod
    def pair() -> tuple["Channel", "Channel"]:
        """Two connected ends: the supervisor's and the child's."""
        ours, theirs = socket.socketpair()
        return Channel(ours), Channel(theirs)

    def fileno(self) -> int:
        """What to watch for readability."""
        return self._end.fileno()

    def send(self, **note: object) -> None:
        """Send a note, now or as soon as the other end reads."""
        self._outgoing += json.dumps(note).encode() + b"\n"
        self.flush()

    def flush(self) -> bool:
        """Send what waits; True when nothing is left."""
        while self._outgoing and not self.closed:
            try:
                sent = self._end.send(self._outgoing)
            except BlockingIOError:
                return False
            except OSError:  # EPIPE, ECONNRESET: the other process has died
                self.closed = True
                break
            del self._outgoing[:sent]
        return True

    def receive(self) -> list[Note]:
        """The notes that have arrived whole."""
        self._fill()
        *lines, rest = self._incoming.split(b"\n")
        self._incoming = bytearray(rest)
        return [json.loads(line) for line in lines]

    def _fill(self) -> None:
        while not self.closed:
            try:
                chunk = self._end.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:  # the other process has died with notes unread
                chunk = b""
            self._incoming += chunk
            if not chunk:
                self.closed = True

    def close(self) -> None:
        """Close this end."""
        self._end.close()
