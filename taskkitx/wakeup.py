"""Wake-ups: hints that work arrived or a task finished. A lost hint costs a poll interval, never a task."""

import hashlib
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Collection

from taskkitx import clock


class Bell:
    """A wake-up for one waiting thread; any thread, forked process or signal handler of the same tree may ring it."""

    _read = _write = -1

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
        """Give the descriptors back; nobody may ring or wait any more."""
        descriptors, self._read, self._write = {self._read, self._write} - {-1}, -1, -1
        for descriptor in descriptors:
            os.close(descriptor)

    def __del__(self) -> None:
        # Where a thread may ring to the very end, only the last reference tells that nobody will.
        self.close()


class LocalHints:
    """Hints between the processes of one machine: datagrams to sockets in a side directory, one socket per listener.

    Sending never blocks and costs a `stat` when nobody listens. Sockets of dead processes are removed when met.
    """

    def __init__(self, directory: str) -> None:
        """`directory` is made, for its owner only, when the first listener comes."""
        self._directory = directory
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._socket: socket.socket | None = None
        self._names: list[str] = []
        self._listed_at = 0
        self._listening: list[HintSocket] = []

    def work(self, groups: Collection[str]) -> None:
        """Tell every listener that these groups may have work."""
        names = self._current_names()
        payload = "\n".join(groups).encode()
        for name in names:
            if name.startswith("w-"):
                self._send(name, payload if len(payload) < _LONGEST_HINT else b"")

    def finished(self, ids: Collection[str]) -> None:
        """Tell whoever watches one of these tasks."""
        names = [name for name in self._current_names() if name.startswith("r-")]
        if not names:
            return
        prefixes = {_watch_prefix(task_id) for task_id in ids}
        for name in names:
            if name[:_PREFIX] in prefixes:
                self._send(name, b"")

    def place(self) -> str:
        """Where these hints are heard, in few letters: whoever says the same place has heard them; empty: nowhere."""
        try:
            found = os.stat(self._directory)
        except OSError:
            return ""
        what = f"{clock.boot_id()} {found.st_dev} {found.st_ino}"
        return hashlib.blake2b(what.encode(), digest_size=6).hexdigest()

    def listen(self) -> "HintSocket":
        """A socket for hints of work."""
        return self._bind("w-")

    def watch(self, task_id: str) -> "HintSocket":
        """A socket for the end of one task."""
        return self._bind(_watch_prefix(task_id))

    def close(self) -> None:
        """End what listens here, give everything back."""
        for listening in list(self._listening):
            listening.close()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._socket = self._descriptor = None
            self._names, self._listed_at = [], 0

    def _bind(self, prefix: str) -> "HintSocket":
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        name = f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
        bound = HintSocket(self._path(name), os.path.join(self._directory, name), self._forget)
        self._listening.append(bound)
        return bound

    def _forget(self, closed: "HintSocket") -> None:
        if closed in self._listening:
            self._listening.remove(closed)

    def _path(self, name: str) -> str:
        """A path short enough for a socket address, whatever the directory's is."""
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            short = f"/proc/self/fd/{self._descriptor}/{name}"
        return short if os.path.isdir("/proc/self/fd") else os.path.join(self._directory, name)

    def _current_names(self) -> list[str]:
        if not os.access(
            self._directory, os.F_OK
        ):  # an exception would cost an enqueue some microseconds
            return []
        try:
            changed_at = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return []
        # A change within the same tick of the file system's clock would not show: a young listing is not trusted.
        if changed_at + _TICK_NS > self._listed_at:
            self._listed_at = time.time_ns()
            self._names = os.listdir(self._directory)
        return self._names

    def _send(self, name: str, payload: bytes) -> None:
        path = self._path(name)
        with self._lock:
            if self._socket is None:
                self._socket = socket.socket(
                    socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
                )
                self._socket.setblocking(False)
            sender = self._socket
        try:
            sender.sendto(payload, path)
        except (BlockingIOError, FileNotFoundError):
            pass  # its queue is full of hints already, or it has just gone
        except ConnectionRefusedError:
            _unlink(os.path.join(self._directory, name))


class HintSocket:
    """One listener's end of the hints."""

    def __init__(self, address: str, path: str, on_close: "Callable[[HintSocket], None]") -> None:
        """Listens at once."""
        self._path = path
        self._on_close = on_close
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # Not by a umask: that is the process's, and would be seen by whatever other threads create meanwhile.
        self._socket.bind(address)
        os.chmod(path, 0o600)
        self._end = Bell()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._poll.register(self._end, select.POLLIN)
        self._open = True

    def receive(self, timeout: float | None) -> bytes | None:
        """The next hint; None when `timeout` seconds have passed or the socket was closed."""
        if not self._open or not self._poll.poll(
            None if timeout is None else max(0.0, timeout) * 1000
        ):
            return None
        if not self._open:
            return None
        try:
            return self._socket.recv(_LONGEST_HINT, socket.MSG_DONTWAIT)
        except (BlockingIOError, OSError):
            return None

    @property
    def open(self) -> bool:
        """Whether it still listens."""
        return self._open

    def close(self) -> None:
        """Listen no more; a `receive` in another thread returns."""
        if self._open:
            self._open = False
            _unlink(self._path)
            self._end.ring()
            self._on_close(self)


def _watch_prefix(task_id: str) -> str:
    return f"r-{hashlib.blake2b(task_id.encode(), digest_size=8).hexdigest()}-"


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # somebody else met it first


_PREFIX = len(_watch_prefix(""))
_LONGEST_HINT = 4096
_TICK_NS = 20_000_000
