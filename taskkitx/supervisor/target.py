"""What the workers of a supervisor run, and how each process gets at it: an application imported in the workers only,
or a kit inherited through fork."""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from taskkitx import log
from taskkitx.backend import Backend
from taskkitx.backends.connect import connect
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.handler import TaskHandler
from taskkitx.schedule import ScheduleEntriesCompatMapping
from taskkitx.worker.scheduling import scheduler_services
from taskkitx.worker.services import Service

Schedulers = Mapping[str, Service]
"""What needs the application's code beside its handler, by name."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one worker process works with."""

    backend: Backend
    handler: TaskHandler[Any, Any]
    schedulers: Schedulers = field(default_factory=dict[str, Service])
    groups: Mapping[str, int] | None = None
    """Threads by group as the application wants them, where nobody says otherwise."""


class Target(Protocol):
    """Where a child process gets its store and its handler from. Its methods are called in children only."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def url(self) -> str | None:
        """The store, when it is known before any worker has loaded the target."""
        ...

    def load(self) -> Loaded:
        """In a worker, once. Raises ConfigurationError saying what to do."""
        ...

    def store(self, url: str) -> tuple[Backend, EventBridge]:
        """In the keeper: the same store, without any code of the application."""
        ...


@dataclass(frozen=True)
class AppTarget:
    """An application by its import path, `module:attribute`; the attribute has a kit's backend, bridge and handler."""

    path: str
    url: str | None = None

    def __post_init__(self) -> None:
        """Refuse a path that is none; raises ConfigurationError."""
        module, _, attribute = self.path.partition(":")
        if not module or not attribute:
            raise ConfigurationError(
                f"the app path {self.path!r} is not of the form module:attribute, such as shop.tasks:kit"
            )

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    def load(self) -> Loaded:
        """Import the application."""
        app = import_app(self.path)
        entries: ScheduleEntriesCompatMapping = getattr(app, "schedule_entries", {})
        schedulers = scheduler_services(
            app.backend, app.handler, entries, getattr(app, "tzinfo", None)
        )
        return Loaded(app.backend, app.handler, schedulers, getattr(app, "groups", None))

    def store(self, url: str) -> tuple[Backend, EventBridge]:
        """Connect by URL."""
        return connect(url)


def import_app(path: str) -> Any:
    """The object an app path names, the working directory being importable.

    Raises ConfigurationError when it cannot be imported, does not exist or is no kit.
    """
    module_name, _, attributes = path.partition(":")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        app: Any = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigurationError(
            f"cannot import the app {path!r}: {log.one_line(error)}"
        ) from error
    except SystemExit as error:
        raise ConfigurationError(
            f"cannot import the app {path!r}: it ends the process (SystemExit: {error.code})"
        ) from error
    for attribute in attributes.split("."):
        if not hasattr(app, attribute):
            raise ConfigurationError(
                f"the app {path!r} does not exist: no {attribute!r} in {app!r}"
            )
        app = getattr(app, attribute)
    for needed in ("backend", "bridge", "handler"):
        if not hasattr(app, needed):
            raise ConfigurationError(
                f"the app {path!r} is {type(app).__name__}, not a Kit or Queue: it has no {needed!r}"
            )
    return app


@dataclass(frozen=True)
class InheritedTarget:
    """A backend, bridge and handler made before the fork; the backend must be closed before it, too."""

    backend: Backend
    bridge: EventBridge
    handler: TaskHandler[Any, Any]
    schedulers: Callable[[], Schedulers]
    name: str = "kit"

    @property
    def url(self) -> str | None:
        """Where the backend is."""
        return self.backend.url

    def load(self) -> Loaded:
        """The inherited objects."""
        return Loaded(self.backend, self.handler, self.schedulers())

    def store(self, url: str) -> tuple[Backend, EventBridge]:
        """The inherited backend, whatever the URL: it opens its own connections here."""
        return self.backend, self.bridge
