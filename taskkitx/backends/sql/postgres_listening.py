"""Hints from other hosts: NOTIFY, heard on a connection of its own.

A process notifies of a group at most once per DEBOUNCE seconds, because commits that notify wait for one another.
Hence whoever hears it looks at once, and once more when that time has passed.
"""

import select
import threading
import time
from collections.abc import Callable
from typing import Self

import psycopg

from taskkitx.backend import Subscription
from taskkitx.backends.sql.postgres_session import PgConnection
from taskkitx.backends.sql.schema_names import Naming
from taskkitx.wakeup import Bell

DEBOUNCE = 0.05
LISTENED = 10_000
"""Groups a process remembers having notified of."""
_SECOND_LOOK = 0.06
_TROUBLE_PAUSE = 1.0

OnWork = Callable[[frozenset[str] | None], None]


def channel_of(naming: Naming) -> str:
    """The channel of this store's work."""
    return naming.table("work").replace(".", "_")


class NotifyListener:
    """Calls back with the groups that may have work, also after a connection was lost and found again."""

    def __init__(
        self,
        connect: Callable[[], PgConnection],
        channel: str,
        here: Callable[[], str],
        on_work: OnWork,
        local: Subscription,
    ) -> None:
        """Listens at once, in a thread of its own. `local` hears what comes from `here`, and ends with this."""
        self._connect = connect
        self._channel = channel
        self._here = here
        self._on_work = on_work
        self._local = local
        self._end = Bell()
        self._open = True
        self._again: set[str] = set()
        self._again_at = float("inf")
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskkitx listen", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._open:
            try:
                with self._connect() as connection:
                    self._listen(connection)
            except psycopg.Error:
                # Polling finds the work meanwhile; whoever talks to the store reports its trouble.
                self._end.wait(_TROUBLE_PAUSE)

    def _listen(self, connection: PgConnection) -> None:
        connection.execute(f'LISTEN "{self._channel}"'.encode())
        self._listening.set()
        self._on_work(None)  # while nobody listened, anything may have come
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._end, select.POLLIN)
        while self._open:
            left = self._again_at - time.monotonic()
            poll.poll(None if left == float("inf") else max(0.0, left) * 1000)
            self._hear(connection)

    def _hear(self, connection: PgConnection) -> None:
        heard = {notify.payload for notify in connection.notifies(timeout=0)}
        here = self._here()
        groups = {
            group for place, _, group in (told.partition(":") for told in heard) if place != here
        }
        if time.monotonic() >= self._again_at:
            groups |= self._again
            self._again, self._again_at = set(), float("inf")
        elif groups:
            self._again |= groups
            self._again_at = min(self._again_at, time.monotonic() + _SECOND_LOOK)
        if groups and self._open:
            self._on_work(frozenset(groups))

    def close(self) -> None:
        """End the interest; returns when no further call will be made."""
        self._open = False
        self._end.ring()
        self._local.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()
            self._end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
