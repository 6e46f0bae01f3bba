"""Control events as numbered rows; a hint says that there may be one, a slow poll finds those whose hint was lost."""

import threading
from collections.abc import Iterator

from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.errors import StoreUnavailable
from taskkitx.event import ControlEvent, decode_control_event, encode_control_event

POLL = 1.0
TROUBLE_PAUSE = 1.0


class SqliteBridge:
    """The event bridge of a SQLite file."""

    def __init__(self, backend: SqliteBackend) -> None:
        """Works through `backend`'s connections."""
        self._backend = backend
        self._closed = threading.Event()

    def send_event(self, event: ControlEvent) -> None:
        """Keep the event for everybody who listens."""
        self._backend.send_event(encode_control_event(event))

    def receive_events(self) -> Iterator[ControlEvent]:
        """Events sent from this call on."""
        self._closed.clear()
        seen = self._first_number()
        # What was sent before the first `next` must not be lost, hence no generator in this method itself.
        return self._events(seen)

    def _first_number(self) -> int | None:
        try:
            return self._backend.last_event()
        except StoreUnavailable:
            return None

    def _events(self, seen: int | None) -> Iterator[ControlEvent]:
        while not self._closed.is_set():
            if seen is None:
                self._closed.wait(TROUBLE_PAUSE)
                seen = self._first_number()
                continue
            try:
                new = self._backend.events_after(seen)
            except StoreUnavailable:
                self._closed.wait(TROUBLE_PAUSE)
                continue
            for number, encoded in new:
                seen = number
                event = decode_control_event(encoded)
                if event is not None:
                    yield event
            if not new:
                self._closed.wait(POLL)

    def close(self) -> None:
        """End every iteration of this bridge."""
        self._closed.set()
