"""A group of processes that may have so much memory together, and no more: what a container is held to."""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest

CGROUPS = Path("/sys/fs/cgroup")


class MemoryLimit:
    """A control group of the kernel, of either version."""

    def __init__(self, folder: Path, size: int) -> None:
        """Hold what will be moved into `folder` to `size` bytes."""
        self._folder = folder
        names = ("memory.max", "memory.limit_in_bytes")
        (place,) = (folder / name for name in names if (folder / name).exists())
        place.write_text(str(size))

    def hold(self, pids: Iterable[int]) -> None:
        """These processes, and what they fork from now on."""
        for pid in pids:
            (self._folder / "cgroup.procs").write_text(str(pid))


@contextmanager
def memory_limit(size: int) -> Generator[MemoryLimit]:
    """A limit of `size` bytes; the test is skipped where this process may not set one."""
    folder = (CGROUPS / "memory" if (CGROUPS / "memory").is_dir() else CGROUPS) / (
        f"taskkitx-test-{os.getpid()}"
    )
    try:
        folder.mkdir()
        limit = MemoryLimit(folder, size)
    except (OSError, ValueError) as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no control group for memory can be made here: {error}")
    try:
        yield limit
    finally:
        folder.rmdir()  # by then its processes have ended
