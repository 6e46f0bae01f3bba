"""Duties done now and then by one thread: a service is a callable that returns how many seconds to wait until it is
called again (the habit is taskkit's)."""

from collections.abc import Callable

from taskkitx import clock, log
from taskkitx.errors import StoreUnavailable
from taskkitx.worker.store_health import StoreHealth

Service = Callable[[], float]

FAILED_PAUSE = 5.0
"""Seconds until a service is called again that failed by a bug."""


class Services:
    """Services by name, each called when its time has come; one that meets store trouble tries again by itself."""

    def __init__(self, services: dict[str, Service]) -> None:
        """All are due at once."""
        self._services = services
        self._due = dict.fromkeys(services, 0.0)
        self._health = {name: StoreHealth(name) for name in services}

    @property
    def next_at(self) -> float:
        """When the next service is due, in monotonic seconds."""
        return min(self._due.values(), default=float("inf"))

    def run_due(self) -> float:
        """Call what is due; returns the seconds until something will be."""
        now = clock.monotonic()
        for name, due in self._due.items():
            if due <= now:
                self._due[name] = self._call(name)
        return max(0.0, self.next_at - clock.monotonic())

    def hurry(self, name: str) -> None:
        """This service is due now."""
        self._due[name] = 0.0

    def _call(self, name: str) -> float:
        health = self._health[name]
        try:
            wait = self._services[name]()
        except StoreUnavailable as error:
            health.failed(error, clock.monotonic())
            return health.retry_at
        except Exception as error:  # noqa: BLE001  # a bug in one service must not end the others
            log.service_failed(name, error)
            return clock.monotonic() + FAILED_PAUSE
        health.answered()
        return clock.monotonic() + wait
