"""Where a supervisor can be found on its machine: one directory per user with a lock, a pid file and a socket each."""

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from taskkitx.errors import ConfigurationError
from taskkitx.process import run_directory


def socket_path(instance: str) -> Path:
    """Where the supervisor of this name answers."""
    return run_directory() / f"{instance}.sock"


@dataclass
class Instance:
    """The name of a running supervisor, held until `close`."""

    name: str
    """As asked for; without one, a name made from the pid."""
    _lock: IO[str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Take the name; raises ConfigurationError when another supervisor holds it or the directory is unusable."""
        named = bool(self.name)
        self.name = self.name or f"pid-{os.getpid()}"
        try:
            run_directory().mkdir(mode=0o700, parents=True, exist_ok=True)
            if named:
                self._lock = open(self._path("lock"), "a")  # noqa: SIM115  # held for life
        except OSError as error:
            raise ConfigurationError(
                f"cannot use the run directory {run_directory()}: {error.strerror}; set TASKKITX_RUN_DIR"
            ) from None
        if self._lock is not None:
            self._take(self._lock)
        self._write_pid()

    def _take(self, lock: IO[str]) -> None:
        try:
            # Unlike flock, it is not held by a forked grandchild when this process dies.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ConfigurationError(
                f"a supervisor of the instance {self.name!r} is running on this machine already; "
                "stop it, or give this one another name"
            ) from None

    def _write_pid(self) -> None:
        """For people; nothing is ever decided by it."""
        temporary = self._path(f"pid.{os.getpid()}")
        temporary.write_text(f"{os.getpid()}\n")
        temporary.replace(self._path("pid"))

    def _path(self, suffix: str) -> Path:
        return run_directory() / f"{self.name}.{suffix}"

    def release(self) -> None:
        """The supervisor ends: remove its files. The lock file stays, because removing it would race."""
        self._path("pid").unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close this process's copy of the lock file."""
        if self._lock is not None:
            self._lock.close()
