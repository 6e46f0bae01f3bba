"""What the service manager is told (sd_notify): ready, status, reloading, stopping, and that there is progress."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskkitx import clock

EXTENSION = 5.0
"""Seconds asked for at a time while draining; asked again every second."""


@dataclass
class Notifier:
    """Datagrams to `NOTIFY_SOCKET`; without one, nothing."""

    address: str = ""
    watchdog: float = 0.0
    """Seconds between two signs of progress; 0: nobody waits for them."""
    _reloading: bool = False
    _status: str = ""
    _last: dict[str, float] = field(default_factory=dict[str, float])

    @staticmethod
    def from_environment(environ: Mapping[str, str] | None = None) -> "Notifier":
        """As the service manager asked; a watchdog meant for another process is none of ours."""
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "0")
        watchdog = int(microseconds) / 1e6 / 3 if ours and microseconds.isdigit() else 0.0
        return Notifier(address, watchdog if address else 0.0)

    def ready(self) -> None:
        """The service works."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A rolling restart has begun."""
        self._reloading = True
        self._send("RELOADING=1", f"MONOTONIC_USEC={clock.monotonic() * 1e6:.0f}")

    def reloaded(self) -> None:
        """The rolling restart is over, whatever came of it."""
        if self._reloading:
            self._reloading = False
            self._send("READY=1")

    def stopping(self) -> None:
        """The service stops."""
        self._send("STOPPING=1")

    def extend(self, now: float) -> None:
        """A little more time to stop; at most once a second."""
        if self._due("extend", now, 1.0):
            self._send(f"EXTEND_TIMEOUT_USEC={EXTENSION * 1e6:.0f}")

    def progress(self, now: float) -> None:
        """Feed the watchdog when it is time."""
        if self.watchdog and self._due("watchdog", now, self.watchdog):
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for people, sent when it changes."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def _due(self, what: str, now: float, interval: float) -> bool:
        if now - self._last.get(what, float("-inf")) < interval:
            return False
        self._last[what] = now
        return True

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto("\n".join(lines).encode(), address)
            except OSError:
                return  # a manager that does not listen must not stop the service
