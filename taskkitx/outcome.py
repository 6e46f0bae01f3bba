"""What an attempt came to. Running a handler returns an outcome; a backend writes it, fenced by the task's attempt.

Not exported: outside, `Failed` is the exception.
"""

from dataclasses import dataclass

from taskkitx.task import Task


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an attempt did not succeed, as kept in the task's history."""

    kind: str
    """The exception's qualified type, or the engine's word: crash, timeout, lost."""
    message: str
    """One line."""
    trace: str = ""
    """Traceback or stack dump, its tail when long."""

    @property
    def text(self) -> str:
        """All of it for people, as kept on a failed task: one line, then the trace."""
        line = f"{self.kind}: {self.message}"
        return f"{line}\n{self.trace}" if self.trace else line


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned; `result` is its encoded value."""

    task: Task
    result: bytes
    then: tuple[Task, ...] = ()
    """Tasks put in the same transaction, if and only if the outcome is accepted. So for every outcome."""


@dataclass(frozen=True, slots=True)
class Retried:
    """To be run again `interval` seconds after the store's now."""

    task: Task
    interval: float
    fault: Fault
    charged: bool = True
    """Whether this counts as a failure: retry_count + 1."""
    then: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Over, with a reason."""

    task: Task
    fault: Fault
    then: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Discarded:
    """Over, because its handler did not want it."""

    task: Task
    then: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Over, because somebody asked for it and the attempt complied."""

    task: Task
    then: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Expired:
    """Over, because it was claimed too late to be started."""

    task: Task
    then: tuple[Task, ...] = ()


Outcome = Succeeded | Retried | Failed | Discarded | Cancelled | Expired
