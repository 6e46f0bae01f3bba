"""The slot table: shared memory in which every worker says what it does, and which outlives it.

One region per worker life: a header, and one slot per thread. Every field has one writer (named beside it), there
are no locks, so a kill -9 can leave nothing held. A slot's phase is written last: half a slot is an empty one.
"""

import mmap
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from taskkitx import clock
from taskkitx.supervisor.crash import CrashFile
from taskkitx.task import Task
from taskkitx.wakeup import Bell
from taskkitx.worker.slots import MAX_THREADS, IfLost

HEADER_SIZE = 4096
SLOT_SIZE = 512
REGION_SIZE = HEADER_SIZE + MAX_THREADS * SLOT_SIZE
_TEXT_SIZE = 200
_BEAT = struct.Struct("d")
_SLOT = struct.Struct(f"BBBBIQdd{_TEXT_SIZE}s{_TEXT_SIZE}s")


class Phase(IntEnum):
    """What a slot's thread does."""

    EMPTY = 0
    RUNNING = 1
    CONDEMNED = 2
    """Still running, beyond its limit."""


class RegionState(IntEnum):
    """What a region's worker is."""

    FREE = 0
    ALIVE = 1
    DEAD = 2
    """Its tasks are not restored yet."""


@dataclass(frozen=True, slots=True)
class RunningTask:
    """What one thread runs, as its slot says. Times are monotonic seconds."""

    thread: int
    task_id: str
    name: str
    attempt: int
    ident: int
    """The thread's ident, by which a crash file names it."""
    started: float
    deadline: float
    """0: none."""
    condemned: bool = False
    if_lost: IfLost = IfLost.NOTHING

    @property
    def timeout(self) -> float:
        """The limit it started with."""
        return self.deadline - self.started


_Number = TypeVar("_Number", int, float)


class _Field(Generic[_Number]):
    """A number at a fixed place of a region's header, read and written as an attribute."""

    def __init__(self, kind: str, offset: int) -> None:
        # Native and aligned, so that a number is written at once and never read half.
        self._struct = struct.Struct(kind)
        self._offset = offset

    def __get__(self, region: "Region", _: object = None) -> _Number:
        value: _Number = self._struct.unpack_from(region.buffer, region.start + self._offset)[0]
        return value

    def __set__(self, region: "Region", value: _Number) -> None:
        self._struct.pack_into(region.buffer, region.start + self._offset, value)


class Region:
    """One worker's part of the table, as the supervisor and the keeper see it."""

    # Written by the supervisor:
    state = _Field[int]("Q", 0)
    pid = _Field[int]("Q", 8)
    solo = _Field[int]("Q", 16)
    rss = _Field[int]("Q", 24)
    draining = _Field[int]("Q", 32)
    pid_started = _Field[float]("d", 48)
    # Written by the worker:
    threads = _Field[int]("Q", 40)
    registered = _Field[int]("Q", 64)
    beat = _Field[float]("d", 72)
    idle = _Field[int]("Q", 80)
    finished = _Field[int]("Q", 88)
    condemned = _Field[float]("d", 96)
    exit_thread = _Field[int]("Q", 104)
    # Written by the keeper, and once by the worker when it registers:
    renewed = _Field[float]("d", 112)
    _worker_id_offset = 128

    def __init__(self, buffer: mmap.mmap, index: int) -> None:
        """The region number `index` of the table in `buffer`, with what its worker and the keeper share besides."""
        self.buffer = buffer
        self.index = index
        self.start = index * REGION_SIZE
        self.bell = Bell()
        self.crash = CrashFile()

    def occupy(self, worker_id: str, *, solo: bool) -> None:
        """Wipe the region for a new worker, which is about to be forked."""
        used = HEADER_SIZE + self.threads * SLOT_SIZE
        self.buffer[self.start : self.start + used] = bytes(used)
        encoded = worker_id.encode().ljust(64, b"\0")
        offset = self.start + self._worker_id_offset
        self.buffer[offset : offset + 64] = encoded
        self.solo = int(solo)
        self.bell.clear()
        self.crash.wipe()
        self.state = RegionState.ALIVE

    @property
    def worker_id(self) -> str:
        """Whose region this is."""
        offset = self.start + self._worker_id_offset
        return self.buffer[offset : offset + 64].rstrip(b"\0").decode()

    def stamp_exit(self) -> None:
        """In the worker: the calling thread is about to end the process."""
        ident = threading.get_ident()
        for running in self._running():
            if running.ident == ident:
                self.exit_thread = running.thread + 1

    def running(self) -> list[RunningTask]:
        """What the threads run now, or ran when their process died."""
        return list(self._running())

    def _running(self) -> Iterator[RunningTask]:
        for thread in range(min(self.threads, MAX_THREADS)):
            offset = self.start + HEADER_SIZE + thread * SLOT_SIZE
            if self.buffer[offset] != Phase.EMPTY:
                yield self._read(thread, offset)

    def _read(self, thread: int, offset: int) -> RunningTask:
        phase, id_size, name_size, if_lost, attempt, ident, started, deadline, task_id, name = (
            _SLOT.unpack_from(self.buffer, offset)
        )
        return RunningTask(
            thread=thread,
            task_id=task_id[:id_size].decode(errors="replace"),
            name=name[:name_size].decode(errors="replace"),
            attempt=attempt,
            ident=ident,
            started=started,
            deadline=deadline,
            condemned=phase == Phase.CONDEMNED,
            if_lost=IfLost(if_lost),
        )


class SlotTable:
    """All regions, and the keeper's beat. Made before the first fork; children inherit it."""

    def __init__(self, regions: int) -> None:
        """Room for that many workers, alive or not restored yet. Memory is used only where it is written."""
        self._buffer = mmap.mmap(-1, regions * REGION_SIZE + 8)
        self.regions = [Region(self._buffer, index) for index in range(regions)]

    def free(self) -> Region | None:
        """A region nobody uses."""
        return next((region for region in self.regions if region.state == RegionState.FREE), None)

    def alive(self) -> list[Region]:
        """The regions of workers that have not been reaped."""
        return [region for region in self.regions if region.state == RegionState.ALIVE]

    @property
    def keeper_beat(self) -> float:
        """Monotonic seconds at which the keeper last said that it goes on."""
        moment: float = _BEAT.unpack_from(self._buffer, len(self._buffer) - 8)[0]
        return moment

    @keeper_beat.setter
    def keeper_beat(self, moment: float) -> None:
        _BEAT.pack_into(self._buffer, len(self._buffer) - 8, moment)

    def close(self) -> None:
        """Give bells and crash files back; the memory goes with its last process."""
        for region in self.regions:
            region.bell.close()
            region.crash.close()


class SharedSlots:
    """The worker's side of its region (the port `taskkitx.worker.slots.Slots`)."""

    def __init__(self, region: Region, threads: int) -> None:
        """Announce `threads` slots; the worker uses the numbers below."""
        self._region = region
        self._buffer = region.buffer
        self._first = region.start + HEADER_SIZE
        region.threads = threads

    def run(
        self, thread: int, task: Task, deadline: float, if_lost: IfLost = IfLost.NOTHING
    ) -> None:
        """Thread number `thread` is about to run `task`; `deadline` is in monotonic seconds, 0 for none."""
        offset = self._first + thread * SLOT_SIZE
        task_id, name = _cut(task.id), _cut(task.name)
        ident = threading.get_ident()
        _SLOT.pack_into(
            self._buffer,
            offset,
            Phase.EMPTY,
            len(task_id),
            len(name),
            if_lost,
            task.attempt,
            ident,
            clock.monotonic(),
            deadline,
            task_id,
            name,
        )
        self._buffer[offset] = Phase.RUNNING

    def done(self, thread: int) -> None:
        """Its handler has returned or raised."""
        self._buffer[self._first + thread * SLOT_SIZE] = Phase.EMPTY

    def beat(self, idle: int, finished: int) -> None:
        """The claiming thread lives."""
        region = self._region
        region.idle = idle
        region.finished = finished
        region.beat = clock.monotonic()

    def condemn(self, thread: int) -> None:
        """The task of this thread has outlived its limit."""
        offset = self._first + thread * SLOT_SIZE
        if self._buffer[offset] == Phase.RUNNING:
            self._buffer[offset] = Phase.CONDEMNED
        if not self._region.condemned:
            self._region.condemned = clock.monotonic()

    def lease_renewed(self) -> float:
        """Boot-clock seconds at which the last successful renewal was requested."""
        return self._region.renewed


def _cut(text: str) -> bytes:
    encoded = text.encode(errors="replace")
    if len(encoded) <= _TEXT_SIZE:
        return encoded
    return encoded[:_TEXT_SIZE].decode(errors="ignore").encode()
