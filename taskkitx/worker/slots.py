"""Where a worker's threads say what they run. A supervisor keeps slots in shared memory, so that they outlive the
process; a worker without a supervisor keeps them to itself."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Protocol

from taskkitx import clock
from taskkitx.task import Task

MAX_THREADS = 1024


class IfLost(IntFlag):
    """What is to be done about a task whose worker dies while it runs, beyond running it again."""

    NOTHING = 0
    TELL = 1
    """Even if it is innocent, who claims it next must know that an attempt was cut short."""
    LAST = 2
    """Should it be charged, it will not run again."""


class Slots(Protocol):
    """What a worker tells about itself, and the one thing it is told. One writer per slot, no locks."""

    def run(
        self, thread: int, task: Task, deadline: float, if_lost: IfLost = IfLost.NOTHING
    ) -> None:
        """Thread number `thread` is about to run `task`; `deadline` is in monotonic seconds, 0 for none.

        Also records the calling thread's ident, by which a crash file names the guilty thread.
        """
        ...

    def done(self, thread: int) -> None:
        """Its handler has returned or raised: whatever happens now is not its fault."""
        ...

    def beat(self, idle: int, finished: int) -> None:
        """The claiming thread lives; it has `idle` idle threads and has finished `finished` tasks so far."""
        ...

    def lease_renewed(self) -> float:
        """Boot-clock seconds at which the last successful renewal of this worker's lease was requested."""
        ...

    def condemn(self, thread: int) -> None:
        """The task of this thread has outlived its limit: the process has to be replaced."""
        ...


@dataclass(slots=True)
class PrivateSlots:
    """Slots of a worker nobody supervises: only the lease matters."""

    renewed: float = 0.0

    def run(
        self, thread: int, task: Task, deadline: float, if_lost: IfLost = IfLost.NOTHING
    ) -> None:
        """Nobody would read it."""

    def done(self, thread: int) -> None:
        """Nobody would read it."""

    def beat(self, idle: int, finished: int) -> None:
        """Nobody would read it."""

    def condemn(self, thread: int) -> None:
        """Nobody could replace this process."""

    def lease_renewed(self) -> float:
        """As told by `renew`."""
        return self.renewed

    def renew(self) -> None:
        """The lease is being renewed now."""
        self.renewed = clock.boottime()
