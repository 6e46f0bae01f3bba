"""Wake-ups: hints that work arrived or a task finished. A lost hint costs a poll interval, never a task."""

import os
import select


class Bell:
    """A wake-up for one waiting thread; any thread, forked process or signal handler of the same tree may ring it."""

    def __init__(self) -> None:
        """Create it, before the fork when another process is to ring it."""
        if hasattr(os, "eventfd"):
            self._read = self._write = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._read, self._write = os.pipe()
            os.set_blocking(self._read, False)
            os.set_blocking(self._write, False)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)

    def fileno(self) -> int:
        """What to watch for readability in a selector."""
        return self._read

    def ring(self) -> None:
        """Wake the waiter, or keep it from going to sleep. Never blocks."""
        try:
            os.write(self._write, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        except BlockingIOError:
            pass  # it is ringing already

    def wait(self, timeout: float) -> bool:
        """Sleep until rung or `timeout` seconds have passed; True when rung. Clears the ring."""
        if not self._poll.poll(max(0.0, timeout) * 1000):
            return False
        self.clear()
        return True

    def clear(self) -> None:
        """Forget past rings."""
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            pass  # nobody rang

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in {self._read, self._write}:
            os.close(descriptor)
