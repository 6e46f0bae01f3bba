"""Control events in the keeper: a thread waits for them, the keeper's loop reads them."""

import threading
from collections import deque

from taskkitx import log
from taskkitx.event import ControlEvent, EventBridge
from taskkitx.wakeup import Bell


class EventInbox:
    """What has come over the bridge and was not read yet."""

    def __init__(self, bridge: EventBridge, bell: Bell) -> None:
        """Listen from now on; `bell` is rung for every event."""
        self._bridge = bridge
        self._bell = bell
        self._events: deque[ControlEvent] = deque()
        threading.Thread(target=self._listen, name="taskkitx events", daemon=True).start()

    def _listen(self) -> None:
        try:
            for event in self._bridge.receive_events():
                self._events.append(event)
                self._bell.ring()
        except Exception as error:  # noqa: BLE001  # the bridge waits out the store; this is its bug, to be seen
            log.service_failed(service="control events", error=log.one_line(error))

    def read(self) -> list[ControlEvent]:
        """The events since the last call."""
        events: list[ControlEvent] = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def close(self) -> None:
        """Listen no more."""
        self._bridge.close()
