"""A child process as its supervisor sees it: what it is doing, and until when it may."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from taskkitx import clock
from taskkitx.supervisor import fork
from taskkitx.supervisor.channel import Channel
from taskkitx.supervisor.slots import Region
from taskkitx.supervisor.verdict import Death

NEVER = float("inf")


class ChildState(StrEnum):
    """Where a child is in its life."""

    BOOTING = "booting"
    READY = "ready"
    DRAINING = "draining"
    CONDEMNED = "condemned"
    """A task outlived its limit: the others may finish, then the process goes."""
    DUMPING = "dumping"
    """It hung, and was told to write its stacks and die."""
    KILLED = "killed"


@dataclass(eq=False)
class Child:
    """One forked process."""

    pid: int
    role: str
    channel: Channel
    started: float
    deadline: float = NEVER
    """Monotonic seconds at which patience with its present state ends."""
    state: ChildState = ChildState.BOOTING
    gone: bool = False
    """It has been reaped: the pid may be somebody else's by now."""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has been reaped."""
        if not self.gone:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without asking."""
        self.state, self.deadline = ChildState.KILLED, NEVER
        self.signal(signal.SIGKILL)


@dataclass(eq=False)
class WorkerChild(Child):
    """One worker process, or the solo lane."""

    region: Region = field(kw_only=True)
    worker_id: str = field(kw_only=True)
    solo: bool = False
    was_ready: bool = False
    end: str = ""
    """Why its supervisor asked it to end; empty: it did not."""
    hung: float = 0.0
    too_large: bool = False
    """It was killed for its memory."""
    full: str = ""
    """Why it claims no more and waits for its successor: it has found itself too large."""
    warned: bool = False
    waiting: str = ""
    """Why it cannot boot yet: the store is away."""
    jitter: float = 0.0
    """Between -1 and 1: how far this worker's limits differ from its siblings', so that they do not end together."""

    @property
    def serving(self) -> bool:
        """Whether it works for its groups, or soon will."""
        return not self.gone and self.state in (ChildState.BOOTING, ChildState.READY)

    def drain(self, why: str, deadline: float = NEVER) -> None:
        """Ask it to finish what it runs and end."""
        self.end = self.end or why
        self.region.draining = 1
        if self.state in (ChildState.BOOTING, ChildState.READY):
            self.state, self.deadline = ChildState.DRAINING, deadline
            self.signal(signal.SIGTERM)
        elif self.state in (ChildState.DRAINING, ChildState.CONDEMNED):
            self.deadline = min(self.deadline, deadline)
            self.signal(signal.SIGTERM)

    def death(self, status: int) -> Death:
        """How it died, from its wait status and what its supervisor did to it."""
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        killed = self.state is ChildState.KILLED and number == signal.SIGKILL
        return Death(
            signal=number,
            exit_code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            deliberate=killed and not self.hung and not self.too_large,
            hung=self.hung if number in (signal.SIGKILL, signal.SIGABRT) else 0.0,
            solo=self.solo,
            exit_thread=self.region.exit_thread - 1 if self.region.exit_thread else None,
            moment=clock.monotonic(),
        )


class Private(Protocol):
    """Something of the supervisor's that no child may keep open."""

    def close(self) -> None:
        """Close this process's copy."""
        ...


@dataclass
class Nursery:
    """Forks children that inherit nothing of the supervisor's own."""

    private: list[Private] = field(default_factory=list[Private])

    def fork(self, run: Callable[[Channel], int]) -> tuple[int, Channel]:
        """Fork a child that runs `run` with its end of a channel; the parent gets the pid and the other end.

        Raises OSError when the system refuses.
        """
        ours, theirs = Channel.pair()

        def live() -> int:
            ours.close()
            for thing in self.private:
                thing.close()
            return run(theirs)

        try:
            pid = fork.fork(live)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.private.append(ours)
        return pid, ours

    def bury(self, channel: Channel) -> None:
        """A child is gone: close our end."""
        self.private.remove(channel)
        channel.close()
