"""Signals as data: handlers do nothing, their numbers arrive through a pipe, and a stop has three degrees."""

import contextlib
import os
import signal
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType

SUPERVISED = (
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
"""What means something to a supervisor."""
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGWINCH)

MERGE_WITHIN = 0.5
"""Seconds within which stop signals count as one: some managers tell the group and the leader."""


Handler = Callable[[int, FrameType | None], object] | signal.Handlers


def nothing(_: int, __: FrameType | None) -> None:
    """A Python-level handler: the wakeup descriptor has told already."""


class Pipe:
    """Two descriptors that never block."""

    def __init__(self) -> None:
        """Open it."""
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        os.set_blocking(self.write, False)

    def close(self) -> None:
        """Close both ends in this process."""
        os.close(self.read)
        os.close(self.write)


class Inbox:
    """Signals of this process as bytes in a pipe. Coalesced or dropped bytes lose nothing as long as the reader looks
    at the state of the world after every wake-up."""

    def __init__(self) -> None:
        """Take over the signals of a supervisor, in the main thread; `close` gives them back."""
        self.pipe = Pipe()
        self._before = {number: signal.getsignal(number) for number in (*SUPERVISED, *IGNORED)}
        self._wakeup_before = signal.set_wakeup_fd(self.pipe.write, warn_on_full_buffer=False)
        for number in SUPERVISED:
            signal.signal(number, nothing)
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)

    def fileno(self) -> int:
        """What to watch for readability."""
        return self.pipe.read

    def read(self) -> list[signal.Signals]:
        """The signals since the last call, in order."""
        try:
            numbers = os.read(self.pipe.read, 65536)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers if number in SUPERVISED]

    def close(self, *, for_good: bool = False) -> None:
        """Give the signals back to whom they belonged; `for_good`, because the process ends now, ignore them instead:
        one that comes late must not turn the documented exit code into a death by signal."""
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            if for_good and number != signal.SIGCHLD:
                signal.signal(number, signal.SIG_IGN)
            elif handler is not None:  # None: installed by C code, which cannot be put back
                signal.signal(number, handler)
        self.pipe.close()


@contextlib.contextmanager
def blocked() -> Generator[None]:
    """No signal is delivered inside: what is sent to a child between its fork and its own handlers must wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def become_child(
    handlers: Mapping[signal.Signals, Handler],
) -> None:
    """In a freshly forked child, signals still blocked: forget the parent's handlers, install these, then unblock."""
    signal.set_wakeup_fd(-1)
    for number in (*SUPERVISED, *IGNORED, signal.SIGALRM, signal.SIGABRT):
        handler = handlers.get(number, signal.SIG_DFL)
        signal.signal(number, handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Degree(IntEnum):
    """How urgently a supervisor stops."""

    RUN = 0
    DRAIN = 1
    FAST = 2
    NOW = 3

    @property
    def meaning(self) -> str:
        """For people."""
        return _MEANINGS[self]


_MEANINGS = {
    Degree.RUN: "goes on",
    Degree.DRAIN: "stops claiming, lets running tasks finish",
    Degree.FAST: "stops within 5 s",
    Degree.NOW: "kills what still runs",
}


@dataclass(slots=True)
class StopRequests:
    """From signals to a degree: the first drains, a second is fast, a third or QUIT is immediate."""

    degree: Degree = Degree.RUN
    _raised_at: float = float("-inf")

    def receive(self, number: signal.Signals, now: float) -> bool:
        """Take note of one stop signal; True when it raised the degree."""
        if number == signal.SIGQUIT:
            return self._raise_to(Degree.NOW, now)
        if now - self._raised_at < MERGE_WITHIN:
            return False
        return self._raise_to(Degree(min(self.degree + 1, Degree.NOW)), now)

    def _raise_to(self, degree: Degree, now: float) -> bool:
        if degree <= self.degree:
            return False
        self.degree, self._raised_at = degree, now
        return True
