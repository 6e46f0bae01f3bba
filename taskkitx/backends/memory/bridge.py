"""Control events inside one process."""

import queue
from collections.abc import Iterator

from taskkitx.backends.memory.store import store_at
from taskkitx.event import ControlEvent

_Inbox = queue.SimpleQueue[ControlEvent | None]


class MemoryBridge:
    """Carries control events between the threads that opened `memory://NAME` in this process."""

    def __init__(self, url: str = "memory://") -> None:
        """Bridges of the same url hear each other."""
        self.url = url
        self._store = store_at(url)
        self._inboxes: list[_Inbox] = []

    def receive_events(self) -> Iterator[ControlEvent]:
        """Events sent from this call on, blocking for the next one; ends after `close`."""
        inbox: _Inbox = queue.SimpleQueue()
        self._inboxes.append(inbox)
        with self._store.lock:
            self._store.inboxes.append(inbox)
        # What was sent before the first `next` must not be lost, hence no generator in this method itself.
        return iter(inbox.get, None)

    def send_event(self, event: ControlEvent) -> None:
        """Hand the event to every bridge of this store."""
        with self._store.lock:
            for inbox in self._store.inboxes:
                inbox.put(event)

    def close(self) -> None:
        """End every iteration of this bridge."""
        mine, self._inboxes = self._inboxes, []
        with self._store.lock:
            self._store.inboxes = [one for one in self._store.inboxes if one not in mine]
        for inbox in mine:
            inbox.put(None)
