"""A small TCP proxy that misbehaves on request, for whatever server a store is on."""

import selectors
import socket
import struct
import threading
from contextlib import suppress

QUIET = 0.2
"""Seconds of silence after which a server has said all there is to a request, its commit included."""
_CHUNK = 1 << 16


class Proxy:
    """Passes everything on between clients and one server on this host, until told otherwise."""

    def __init__(self, target: int) -> None:
        """Accepts at once, on `port`; `target` is the server's port."""
        self._target = target
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._marker: bytes | None = None
        self._garbled: bytes | None = None
        self.refuse_after_loss = False
        """Whether nothing is accepted any more once a reply has been lost."""
        self._lost = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def through(self, url: str) -> str:
        """The URL of a store on the server, by way of this proxy."""
        return url.replace(f"127.0.0.1:{self._target}", f"127.0.0.1:{self.port}")

    def lose_reply_to(self, marker: bytes) -> None:
        """The next request that contains these bytes is carried out; its reply is lost with its connection."""
        self._lost.clear()
        self._marker = marker

    def garble_reply_to(self, marker: bytes) -> None:
        """The next request with these bytes gets a reply whose fourth byte is wrong: MySQL numbers packets so."""
        self._garbled = marker

    def wait_lost(self, timeout: float = 30.0) -> None:
        """Return when that has happened."""
        assert self._lost.wait(timeout), f"no request with {self._marker!r} came by"

    def stall(self) -> None:
        """From now on nothing is passed on, and nobody is told."""
        self._going.clear()

    def go_on(self) -> None:
        """Undo `stall`."""
        self._going.set()

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._drop(pair)

    def refuse(self) -> None:
        """Cut everything and accept nothing."""
        self._going.set()
        # Closing alone would let a blocked accept go on.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def accept_again(self) -> None:
        """Undo `refuse`."""
        self._listener = self._listen(self.port)

    close = refuse

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                _reset(client)
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add((client, server))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        garble = False
        try:
            while True:
                for source in _readable(client, server):
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    self._going.wait()
                    if source is client and self._garbled is not None and self._garbled in data:
                        self._garbled, garble = None, True
                    elif source is server and garble and len(data) > 3:
                        data, garble = data[:3] + bytes([data[3] ^ 0x55]) + data[4:], False
                    other[source].sendall(data)
                    if source is client and self._is_marked(data):
                        _swallow(client, server)
                        self.refuse() if self.refuse_after_loss else self._drop((client, server))
                        self._lost.set()
                        return
        except (OSError, ValueError):
            return  # one of the two is gone, or closed by another thread
        finally:
            self._drop((client, server))

    def _is_marked(self, data: bytes) -> bool:
        with self._lock:
            if self._marker is None or self._marker not in data:
                return False
            self._marker = None
            return True

    def _drop(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            if pair not in self._pairs:
                return
            self._pairs.discard(pair)
        for one in pair:
            _reset(one)


def _readable(*both: socket.socket, timeout: float | None = None) -> list[socket.socket]:
    """Those with something to read; not by `select`, which knows no descriptor above 1,023."""
    with selectors.DefaultSelector() as selector:
        for one in both:
            selector.register(one, selectors.EVENT_READ)
        ready = {key.fileobj for key, _ in selector.select(timeout)}
        return [one for one in both if one in ready]


def _swallow(client: socket.socket, server: socket.socket) -> None:
    """Everything the server says to the request, whose end may still be coming."""
    while ready := _readable(client, server, timeout=QUIET):
        if client in ready:
            if not (data := client.recv(_CHUNK)):
                return
            server.sendall(data)
        if server in ready and not server.recv(_CHUNK):
            return


def _reset(one: socket.socket) -> None:
    """Close so that the other end hears of it at once."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    one.close()
