"""A worker and the services it needs as threads of the caller's process: for tests, notebooks and small programs.

The same worker as under a supervisor; what a second process gives (kill -9 without loss of neighbours, hard limits that
free the thread) it cannot give.
"""

import signal
import threading
from collections.abc import Collection, Mapping
from typing import Any

from taskkitx import clock, log
from taskkitx.backend import Backend, Subscription
from taskkitx.event import EventBridge
from taskkitx.ids import make_worker_id
from taskkitx.settings import Settings
from taskkitx.wakeup import Bell
from taskkitx.worker.attempt import Handler
from taskkitx.worker.control import ControlListener
from taskkitx.worker.duties import alarm_service, lease_service, restore_service, retention_service
from taskkitx.worker.services import Service, Services
from taskkitx.worker.slots import PrivateSlots
from taskkitx.worker.worker import Worker


class Runner:
    """Runs tasks of `groups` (threads by group) in this process until stopped."""

    def __init__(
        self,
        backend: Backend,
        bridge: EventBridge,
        handler: Handler,
        groups: Mapping[str, int],
        settings: Settings,
        *,
        schedulers: Mapping[str, Service] | None = None,
        helper_services: bool = True,
        instance: str = "",
    ) -> None:
        """`helper_services` False leaves schedulers, restoring and retention to other processes."""
        self._backend = backend
        self._slots = PrivateSlots()
        self._bell = Bell()
        self._service_bell = Bell()
        self._stopped = threading.Event()
        self.worker = Worker(
            backend,
            handler,
            groups,
            worker_id=make_worker_id(),
            settings=settings,
            slots=self._slots,
            bell=self._bell,
            instance=instance,
        )
        self._services = Services(self._make_services(settings, schedulers or {}, helper_services))
        self._control = ControlListener(
            bridge, on_shutdown=self._shut_down, on_resume=self._bell.ring
        )
        self._hints: Subscription | None = None

    def _make_services(
        self, settings: Settings, schedulers: Mapping[str, Service], helper_services: bool
    ) -> dict[str, Service]:
        services: dict[str, Service] = {
            "lease": lease_service(self._backend, self._report, self._renewed, settings)
        }
        if helper_services:
            services["restore"] = restore_service(self._backend, settings)
            services["retention"] = retention_service(self._backend)
            services["alarms"] = alarm_service(self._backend)
            services |= {f"scheduler {name}": service for name, service in schedulers.items()}
        return services

    def _report(self) -> dict[str, Mapping[str, Any]]:
        return {
            self.worker.id: {"groups": list(self.worker.groups), "finished": self.worker.finished}
        }

    def _renewed(self, worker_id: str, at: float) -> None:
        self._slots.renewed = at

    def _shut_down(self, groups: Collection[str] | None) -> None:
        if groups is None:
            self.stop()
        else:
            self.worker.end_groups(groups)

    def run(self) -> None:
        """Run until stopped and drained. Raises StoreError when the store cannot be reached at the start."""
        self._slots.renewed = clock.boottime()
        self.worker.open()
        self._hints = self._backend.listen(lambda groups: self._bell.ring())
        self._control.start()
        services = threading.Thread(target=self._serve, name="services", daemon=True)
        services.start()
        log.runner_started(self.worker.id, self.worker.groups)
        try:
            self.worker.run()
        finally:
            # Leases are renewed until the last outcome is written, and only then.
            self._stopped.set()
            self._service_bell.ring()
            services.join()
            self._control.close()
            self._hints.close()
            log.runner_stopped(self.worker.id, self.worker.finished)

    def stop(self) -> None:
        """Claim nothing more; `run` returns when everything running has finished."""
        self.worker.stop()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            self._service_bell.wait(self._services.run_due())


def run_until_interrupted(runner: Runner) -> None:
    """Run; the first Ctrl-C drains, the second one is not held up."""
    previous = None
    if threading.current_thread() is threading.main_thread():
        previous = signal.getsignal(signal.SIGINT)

        def drain(number: int, frame: object) -> None:
            runner.stop()
            signal.signal(signal.SIGINT, previous)

        signal.signal(signal.SIGINT, drain)
    try:
        runner.run()
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
