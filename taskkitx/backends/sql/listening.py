"""Hints as the port gives them: a thread that calls back, and a wait for one task's end."""

import threading
from collections.abc import Callable
from typing import Self

from taskkitx.wakeup import HintSocket


class HintListener:
    """Calls back with the groups that may have work."""

    def __init__(self, hints: HintSocket, on_work: Callable[[frozenset[str] | None], None]) -> None:
        """Listens at once, in a thread of its own."""
        self._hints = hints
        self._on_work = on_work
        self._thread = threading.Thread(target=self._run, name="taskkitx hints", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._hints.open:
            heard = self._hints.receive(None)
            if heard is not None:
                self._on_work(frozenset(heard.decode().split("\n")) if heard else None)

    def close(self) -> None:
        """End the interest; returns when no further call will be made."""
        self._hints.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class HintWatch:
    """Waits for the end of one task."""

    def __init__(self, hints: HintSocket) -> None:
        """Watches at once."""
        self._hints = hints

    def wait(self, timeout: float) -> None:
        """Return when the task may have finished, at the latest after `timeout` seconds."""
        self._hints.receive(timeout)

    def close(self) -> None:
        """End the interest."""
        self._hints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
