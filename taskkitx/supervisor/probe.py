"""The question a probe asks a supervisor. Nothing heavy is imported here: probes are run often and must answer fast."""

import json
import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from taskkitx.process import run_directory
from taskkitx.supervisor.instance import socket_path

_QUESTION = b"how are you?"
MAX_ANSWER = 65536


def ask(instance: str | None, timeout: float = 1.0) -> dict[str, Any]:
    """The state of a supervisor on this machine, as its own main loop describes it; None: the only one there is.

    Raises LookupError, saying what is wrong, when there is none, or more than one to choose from, or no answer.
    """
    path = _only_socket() if instance is None else socket_path(instance)
    with _asker() as asker:
        asker.settimeout(timeout)
        try:
            asker.sendto(_QUESTION, str(path))
            return cast("dict[str, Any]", json.loads(asker.recv(MAX_ANSWER)))
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


@contextmanager
def _asker() -> Generator[socket.socket]:
    """A socket that can be answered. On Linux its name is no file, so a probe that is killed leaves none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        if sys.platform == "linux":
            asker.bind("")
            yield asker
            return
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            asker.bind(os.path.join(folder, "probe"))
            yield asker
