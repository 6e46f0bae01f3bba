"""Control events as numbered rows; a hint says that there may be one, a slow poll finds those whose hint was lost."""

import threading
from collections.abc import Iterator

from taskkitx.backend import Watch
from taskkitx.backends.sql.backend import EVENTS, SqlBackend
from taskkitx.errors import StoreUnavailable
from taskkitx.event import ControlEvent, decode_control_event, encode_control_event

TROUBLE_PAUSE = 1.0


class SqlBridge:
    """The event bridge of an SQL store."""

    def __init__(self, backend: SqlBackend) -> None:
        """Works through `backend`'s connections."""
        self._backend = backend
        self._closed = threading.Event()
        self._hints: set[Watch] = set()

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
        hints: Watch | None = None
        while not self._closed.is_set():
            try:
                if hints is None:
                    hints = self._backend.watch(EVENTS)
                    self._hints.add(hints)
                if seen is None:
                    seen = self._backend.last_event()
                new = self._backend.events_after(seen)
            except StoreUnavailable:
                self._closed.wait(TROUBLE_PAUSE)
                continue
            for number, encoded in new:
                seen = number
                event = decode_control_event(encoded)
                if event is not None:
                    yield event
            if not new and not self._closed.is_set():
                hints.wait(self._backend.event_poll)

    def close(self) -> None:
        """End every iteration of this bridge."""
        self._closed.set()
        while self._hints:
            self._hints.pop().close()
