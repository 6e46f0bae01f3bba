"""The question a probe asks a supervisor, and its answer: one datagram each way, over a socket of its instance."""

import json
import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from taskkitx import log
from taskkitx.supervisor.instance import run_directory, socket_path

_QUESTION = b"how are you?"
_MAX_ANSWER = 65536


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
                    reply = json.dumps(describe()).encode()[:_MAX_ANSWER]
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


def ask(instance: str | None, timeout: float = 1.0) -> dict[str, Any]:
    """The state of a supervisor on this machine, as its own main loop describes it; None: the only one there is.

    Raises LookupError, saying what is wrong, when there is none, or more than one to choose from, or no answer.
    """
    path = _only_socket() if instance is None else socket_path(instance)
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker,
    ):
        asker.bind(os.path.join(folder, "probe"))
        asker.settimeout(timeout)
        try:
            asker.sendto(_QUESTION, str(path))
            return cast("dict[str, Any]", json.loads(asker.recv(_MAX_ANSWER)))
        except (FileNotFoundError, ConnectionRefusedError):
            raise LookupError(f"no supervisor of the instance {path.stem!r} runs here") from None
        except TimeoutError:
            raise LookupError(
                f"the supervisor of the instance {path.stem!r} does not answer within {timeout:g} s"
            ) from None


def _only_socket() -> Path:
    paths = sorted(run_directory().glob("*.sock"))
    if not paths:
        raise LookupError(f"no supervisor runs here (nothing in {run_directory()})")
    if len(paths) > 1:
        names = ", ".join(path.stem for path in paths)
        raise LookupError(f"several supervisors run here, name one of them: {names}")
    return paths[0]


def _remove_stale() -> None:
    """Remove what supervisors without a name of their own left when they were killed."""
    for path in run_directory().glob("pid-*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
                path.with_suffix(".pid").unlink(missing_ok=True)
