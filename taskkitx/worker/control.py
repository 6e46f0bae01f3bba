"""Listening to control events, in a thread of its own because the bridge blocks."""

import threading
from collections.abc import Callable, Collection

from taskkitx import log
from taskkitx.errors import TaskkitxError
from taskkitx.event import EventBridge


class ControlListener:
    """Tells what operators asked for; pausing itself needs no event, the store refuses the claims."""

    def __init__(
        self,
        bridge: EventBridge,
        *,
        on_shutdown: Callable[[Collection[str] | None], None],
        on_resume: Callable[[], None],
    ) -> None:
        """`on_shutdown` gets the groups that are to end, None for everything."""
        self._bridge = bridge
        self._on_shutdown = on_shutdown
        self._on_resume = on_resume
        self._thread = threading.Thread(target=self._listen, name="control", daemon=True)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._bridge.close()

    def _listen(self) -> None:
        try:
            self._obey()
        except TaskkitxError as error:
            log.service_failed("control events", error)

    def _obey(self) -> None:
        for event in self._bridge.receive_events():
            if event["name"] == "shutdown":
                self._on_shutdown(event["groups"])
            elif event["name"] == "resume":
                self._on_resume()
