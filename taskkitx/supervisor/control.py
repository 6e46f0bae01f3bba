"""How a supervisor answers probes: one datagram each way, over a socket of its instance."""

import json
import socket
from collections.abc import Callable, Mapping

from taskkitx import log
from taskkitx.process import run_directory
from taskkitx.supervisor.instance import socket_path
from taskkitx.supervisor.probe import MAX_ANSWER


class ControlSocket:
    """The supervisor's side, read by its main loop: that it answers at all says that the loop runs."""

    def __init__(self, instance: str) -> None:
        """Bind the socket of this instance, whose name the caller holds. Without one, only probes are missing."""
        self._path = socket_path(instance)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            _remove_stale()
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(self._path))
            self._path.chmod(0o600)
        except OSError as error:
            log.no_control_socket(path=self._path, error=log.one_line(error))

    def fileno(self) -> int:
        """What to watch for readability."""
        return self._socket.fileno()

    def answer(self, describe: Callable[[], Mapping[str, object]]) -> None:
        """Answer every question that waits."""
        while True:
            try:
                _, asker = self._socket.recvfrom(64)
                if asker:
                    reply = json.dumps(describe()).encode()[:MAX_ANSWER]
                    self._socket.sendto(reply, asker)
            except BlockingIOError:
                return
            except OSError:  # the asker has gone
                continue

    def close(self) -> None:
        """Close this process's copy."""
        self._socket.close()

    def release(self) -> None:
        """The supervisor ends."""
        self.close()
        self._path.unlink(missing_ok=True)


def _remove_stale() -> None:
    """Remove what supervisors without a name of their own left when they were killed."""
    for path in run_directory().glob("pid-*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
                path.with_suffix(".pid").unlink(missing_ok=True)
