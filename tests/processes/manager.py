"""A service manager as far as a service sees it: a socket that keeps what it is told."""

import re
import socket
import threading
import time

from tests.processes.tree import PATIENCE


class Manager:
    """A socket that keeps what it is told, with the moment."""

    def __init__(self, path):
        self.address = str(path)
        self.told = []
        self._news = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            datagram = self._socket.recv(4096).decode()
            with self._news:
                self.told.append((time.monotonic(), datagram))
                self._news.notify_all()

    def wait(self, pattern, since=0.0):
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while True:
                for moment, datagram in self.told:
                    if moment > since and re.match(pattern, datagram):
                        return moment
                assert self._news.wait(deadline - time.monotonic()), (pattern, self.told)

    def words(self):
        """Everything but the status lines, which come when they come."""
        return [d for _, d in self.told if not d.startswith(("STATUS=", "WATCHDOG="))]
