"""Hints inside one process: who listens for work, who watches a task."""

import threading
from collections.abc import Callable, Collection
from typing import Self

OnWork = Callable[[frozenset[str] | None], None]


class Hints:
    """The listeners and watchers of one store. Its methods may be called from any thread, without the store's lock."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._lock = threading.Lock()
        self.listeners: list[MemoryListener] = []
        self.watches: list[MemoryWatch] = []

    def add_listener(self, listener: "MemoryListener") -> None:
        """From now on it hears of work."""
        with self._lock:
            self.listeners.append(listener)

    def add_watch(self, watch: "MemoryWatch") -> None:
        """From now on it hears of its task's end."""
        with self._lock:
            self.watches.append(watch)

    def remove(self, subscription: "MemoryListener | MemoryWatch") -> None:
        """It hears nothing any more."""
        with self._lock:
            self.listeners = [one for one in self.listeners if one is not subscription]
            self.watches = [one for one in self.watches if one is not subscription]

    def work(self, groups: Collection[str] | None) -> None:
        """These groups (None: any) may have work now."""
        if groups is None or groups:
            for listener in self.listeners:
                listener.hear(None if groups is None else frozenset(groups))

    def ended(self, task_ids: Collection[str]) -> None:
        """These tasks have finished or are gone."""
        for watch in self.watches:
            if watch.task_id in task_ids:
                watch.hear()


class MemoryListener:
    """Calls `on_work` from a thread of its own; what is heard during a call is told by the next one."""

    def __init__(self, hints: Hints, on_work: OnWork) -> None:
        """Listens at once."""
        self._hints = hints
        self._on_work = on_work
        self._heard: set[str | None] = set()
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="taskkitx-hints", daemon=True)
        self._thread.start()
        hints.add_listener(self)

    def hear(self, groups: frozenset[str] | None) -> None:
        """Tell the thread. Never waits for it."""
        with self._change:
            self._heard |= {None} if groups is None else groups
            self._change.notify()

    def close(self) -> None:
        """End the interest; returns when no further call will be made."""
        self._hints.remove(self)
        with self._change:
            self._closed = True
            self._change.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._heard)
                if self._closed:
                    return
                heard, self._heard = self._heard, set()
            groups = frozenset(group for group in heard if group is not None)
            self._on_work(None if None in heard else groups)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class MemoryWatch:
    """Waits for the end of one task."""

    def __init__(self, hints: Hints, task_id: str) -> None:
        """Watches at once."""
        self.task_id = task_id
        self._hints = hints
        self._ended = threading.Event()
        hints.add_watch(self)

    def hear(self) -> None:
        """The task may have finished."""
        self._ended.set()

    def wait(self, timeout: float) -> None:
        """Return when the task may have finished, at the latest after `timeout` seconds."""
        self._ended.wait(timeout)
        self._ended.clear()

    def close(self) -> None:
        """End the interest, and a wait in another thread with it."""
        self._hints.remove(self)
        self._ended.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
