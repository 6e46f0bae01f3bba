"""What the system knows of a process, by which one host can tell a dead process from a living one, and where the
processes of one user meet."""

import getpass
import os
import socket
from pathlib import Path


def started_at(pid: int) -> float:
    """The pid's start time in clock ticks since boot, which tells it from a later process; 0: gone or unknown."""
    fields = stat_fields(pid)
    return float(fields[19]) if fields and fields[0] not in ("Z", "X") else 0.0


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that started then still runs under this pid."""
    if os.path.isdir("/proc/self"):
        return started_at(pid) == started != 0.0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/pid/stat after the command, the state first; empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    # The command, in parentheses, may itself contain spaces and parentheses.
    return text[text.rfind(")") + 2 :].split()


def run_directory() -> Path:
    """`TASKKITX_RUN_DIR`, else a folder of this user that the system clears."""
    given = os.environ.get("TASKKITX_RUN_DIR")
    if given:
        return Path(given)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "taskkitx"
    import tempfile  # slow to import, and rarely needed by a probe

    return Path(tempfile.gettempdir()) / f"taskkitx-{os.getuid()}"


def user_at_host() -> str:
    """Who acts here, as far as the system knows."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a uid without a name
        return f"uid {os.getuid()}@{socket.gethostname()}"
