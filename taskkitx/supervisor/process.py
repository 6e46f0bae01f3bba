"""A worker process as a program sees it: what `start_processes` returns and `should_restart` is asked about."""

import os
import select
import signal
import time

from taskkitx import process
from taskkitx.supervisor.processes import resident_memory


class TaskkitProcess:
    """One forked worker process."""

    def __init__(self, pid: int, *, supervised: bool = False) -> None:
        """A `supervised` one is waited for and replaced by its supervisor: it can be looked at only."""
        self.pid = pid
        self.started = time.time()
        """UNIX seconds."""
        self._ticks = process.started_at(pid)
        self._supervised = supervised
        self._status: int | None = None

    def __repr__(self) -> str:
        return f"<TaskkitProcess {self.pid} {'alive' if self.is_alive() else self.exitcode}>"

    @property
    def age(self) -> float:
        """Seconds since its fork."""
        return time.time() - self.started

    @property
    def rss(self) -> int:
        """Bytes of memory it occupies; 0: unknown."""
        return resident_memory(self.pid)

    @property
    def exitcode(self) -> int | None:
        """Its exit code, negative for the signal that killed it; None while it lives."""
        self._reap(os.WNOHANG)
        return None if self._status is None else os.waitstatus_to_exitcode(self._status)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        if self._supervised:
            return process.is_alive(self.pid, self._ticks)
        return self.exitcode is None

    def is_active(self) -> bool:
        """The same; taskkit's name for it."""
        return self.is_alive()

    def terminate(self) -> None:
        """Let it finish what runs, then end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; another process takes its tasks back when its lease ends."""
        self._signal(signal.SIGKILL)

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most `timeout` seconds."""
        if timeout is None or (self.exitcode is None and _ends_within(self.pid, timeout)):
            self._reap(0)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            os.kill(self.pid, number)

    def _reap(self, options: int) -> None:
        if self._status is not None or self._supervised:
            return
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # reaped by somebody else: how it ended is lost
            pid, status = self.pid, 0
        if pid:
            self._status = status


def _ends_within(pid: int, timeout: float) -> bool:
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(pid)
        try:
            return bool(select.select([descriptor], [], [], timeout)[0])
        finally:
            os.close(descriptor)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.01)
    return False
