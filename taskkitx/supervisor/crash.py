"""Where a dying worker writes its stacks: a file without a name, made before the fork and read after the death."""

import faulthandler
import os
import tempfile


class CrashFile:
    """The crash file of one region; faulthandler writes to it from inside a fatal signal."""

    def __init__(self) -> None:
        """Create it, in the supervisor, before any fork."""
        self._descriptor = _anonymous_file()

    def arm(self) -> None:
        """In a worker: write the stacks of all threads here when a fatal signal comes."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        faulthandler.enable(self._descriptor, all_threads=True)

    def read(self) -> str:
        """What was written, at most its last 64 KiB."""
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - 65536)
        return os.pread(self._descriptor, size - start, start).decode(errors="replace")

    def wipe(self) -> None:
        """Forget the last crash."""
        os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("taskkitx-crash", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
