"""Control events as numbered rows; a hint says that there may be one, a slow poll finds those whose hint was lost."""

import threading
from collections.abc import Iterator

from taskkitx.backend import Watch
from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.backend import SqlBackend
from taskkitx.backends.sql.session import Session, first
from taskkitx.backends.sql.store import SqlStore
from taskkitx.errors import StoreUnavailable
from taskkitx.event import ControlEvent, decode_control_event, encode_control_event

TROUBLE_PAUSE = 1.0
EVENTS = "control events"
"""Whoever waits for control events watches for the end of a task of this name, which no task can have."""


def send_event(store: SqlStore, event: bytes) -> None:
    """Keep a control event and tell who listens."""

    def send(session: Session) -> None:
        # One after the other, so that numbers appear in their order and no reader passes one by.
        session.rows(sql.SERIALIZE_EVENTS)
        session.change(sql.SEND_EVENT, {"data": event})

    store.write(send, durable=True)
    store.hints.finished([EVENTS])


def last_event(store: SqlStore) -> int:
    """The number of the newest event."""
    return int(first(store.read(lambda session: session.rows(sql.LAST_EVENT))))


def events_after(store: SqlStore, number: int) -> list[tuple[int, bytes]]:
    """Events newer than this one, oldest first, a bounded number."""
    found = store.read(lambda session: session.rows(sql.EVENTS_AFTER, {"number": number}))
    return [(row[0], row[1]) for row in found]


class SqlBridge:
    """The event bridge of an SQL store."""

    def __init__(self, backend: SqlBackend) -> None:
        """Works through `backend`'s connections."""
        self._backend = backend
        self._closed = threading.Event()
        self._hints: set[Watch] = set()

    def send_event(self, event: ControlEvent) -> None:
        """Keep the event for everybody who listens."""
        send_event(self._backend, encode_control_event(event))

    def receive_events(self) -> Iterator[ControlEvent]:
        """Events sent from this call on."""
        self._closed.clear()
        seen = self._first_number()
        # What was sent before the first `next` must not be lost, hence no generator in this method itself.
        return self._events(seen)

    def _first_number(self) -> int | None:
        try:
            return last_event(self._backend)
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
                    seen = last_event(self._backend)
                new = events_after(self._backend, seen)
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
