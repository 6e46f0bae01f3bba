"""The application as the command line runs it: on the store that was named, and on no other."""

import os
from dataclasses import dataclass

from taskkitx import log
from taskkitx.backend import Backend
from taskkitx.backends.connect import connect
from taskkitx.cli.store import refuse_memory, sqlite_path, without_password
from taskkitx.errors import ConfigurationError
from taskkitx.event import EventBridge
from taskkitx.supervisor.target import AppTarget, Loaded

_store_known = log.Event("info", "store_known", "store: {store}")


@dataclass(frozen=True)
class CommandTarget(AppTarget):
    """An application whose store is checked when a worker loads it."""

    def load(self) -> Loaded:
        """Import it. Raises ConfigurationError when its store is another than asked for, or a process's own."""
        loaded = super().load()
        refuse_memory(loaded.backend.url)
        self._check_url(loaded.backend)
        return loaded

    def store(self, url: str) -> tuple[Backend, EventBridge]:
        """Connect by URL, and say to which: only here is the store known and nothing else than the engine runs."""
        _store_known(store=without_password(url))
        return super().store(url)

    def _check_url(self, backend: Backend) -> None:
        """Workers and keeper on different stores would take each other for dead."""
        if self.url is None:
            return
        asked, _ = connect(self.url)
        if _absolute(asked.url) != _absolute(backend.url):
            raise ConfigurationError(
                f"the app {self.path!r} works on {without_password(backend.url)}, not on the --url "
                f"{without_password(asked.url)}: leave --url out, or let the app make its kit without a url"
            )


def _absolute(url: str) -> str:
    path = sqlite_path(url)
    return url if path is None else os.path.realpath(path)
