"""Who is guilty of a worker's death: a pure decision over what the dead process left behind.

A task is charged only with proof; without proof every task that was running is a suspect and runs again alone; a
task that was only in stock is innocent, because it has no slot.
"""

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from taskkitx.record import Lost
from taskkitx.supervisor.slots import RunningTask
from taskkitx.worker.slots import IfLost

_CURRENT_THREAD = re.compile(r"^Current thread (0x[0-9a-fA-F]+)", re.MULTILINE)
_FATAL = "Fatal Python error"
_FATAL_SIGNALS = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker process ended, as far as its supervisor knows."""

    signal: int = 0
    """The signal that killed it, 0 for none."""
    exit_code: int = 0
    deliberate: bool = False
    """The supervisor killed it, for no fault of its tasks: a stop, a replacement, an operator's wish."""
    hung: float = 0.0
    """Seconds of silence for which the supervisor killed it; 0: it did not hang."""
    solo: bool = False
    """It was the solo lane."""
    exit_thread: int | None = None
    """The thread that stamped its slot on the way out."""
    moment: float = 0.0
    """Monotonic seconds of the death, against which deadlines are held."""

    @property
    def how(self) -> str:
        """One line for people: killed by signal 11 (SIGSEGV)."""
        if self.hung:
            return f"was silent for {self.hung:.0f} s and was killed"
        if self.signal:
            return f"was killed by signal {self.signal} ({_signal_name(self.signal)})"
        return f"exited with code {self.exit_code}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the tasks that were running; all others are innocent and go back at once."""

    charged: dict[str, Lost] = field(default_factory=dict[str, Lost])
    suspects: dict[str, Lost] = field(default_factory=dict[str, Lost])
    told: dict[str, Lost] = field(default_factory=dict[str, Lost])
    """Innocent, but who claims them next must know that an attempt was cut short."""


def judge(death: Death, running: Sequence[RunningTask], crash_text: str = "") -> Verdict:
    """Name the guilty task if there is proof, else the suspects.

    `running`: the dead worker's slots. `crash_text`: what faulthandler wrote.
    """
    verdict = _accuse(death, running, crash_text)
    accused = verdict.charged | verdict.suspects
    told = {
        task.task_id: Lost(_as_cause(death), alone=False)
        for task in running
        if task.if_lost & IfLost.TELL and task.task_id not in accused
    }
    return replace(verdict, told=told)


def _accuse(death: Death, running: Sequence[RunningTask], crash_text: str) -> Verdict:
    overdue = {
        task.task_id: _charge(task, f"exceeded its timeout of {task.timeout:g} s")
        for task in running
        if task.condemned
    }
    if death.deliberate or len(overdue) == len(running):
        return Verdict(charged=overdue)
    others = [task for task in running if not task.condemned]
    cause, tail = _as_cause(death), crash_tail(crash_text)
    guilty = _proven(death, others, alone=len(running) == 1, crash_text=crash_text)
    if guilty is not None:
        return Verdict(charged={**overdue, guilty.task_id: _charge(guilty, cause, tail)})
    if overdue:
        return Verdict(charged=overdue)  # the limit explains the death of the process
    return Verdict(suspects={task.task_id: Lost(cause, tail) for task in others})


def _charge(task: RunningTask, cause: str, tail: str = "") -> Lost:
    return Lost(cause, tail, again=not task.if_lost & IfLost.LAST)


def _proven(
    death: Death, running: Sequence[RunningTask], *, alone: bool, crash_text: str
) -> RunningTask | None:
    if death.hung:
        late = [task for task in running if 0 < task.deadline < death.moment]
        return _only(late) or (running[0] if alone else None)
    if death.signal in _FATAL_SIGNALS:
        ident = crashed_ident(crash_text)
        named = _only([task for task in running if task.ident == ident])
        if named is not None:
            return named
    if death.exit_thread is not None:
        named = _only([task for task in running if task.thread == death.exit_thread])
        if named is not None:
            return named
    # Anybody may have sent a SIGKILL, the kernel for another process's memory included: beside idle threads that
    # proves nothing yet, and the solo lane will tell.
    if alone and (death.signal != signal.SIGKILL or death.solo):
        return running[0]
    return None


def _only(tasks: Sequence[RunningTask]) -> RunningTask | None:
    return tasks[0] if len(tasks) == 1 else None


def crashed_ident(crash_text: str) -> int | None:
    """The ident of the thread in which the last fatal error of a crash file happened."""
    found = _CURRENT_THREAD.search(_last_crash(crash_text))
    return int(found.group(1), 16) if found else None


def crash_tail(crash_text: str, limit: int = 4000) -> str:
    """The part of a crash file worth keeping: the last fatal error, from the crashing thread on."""
    text = _last_crash(crash_text)
    found = _CURRENT_THREAD.search(text)
    if found is None:
        return text[:limit].strip()
    head = text[: text.find("\n")] if text.startswith(_FATAL) else ""
    return f"{head}\n{text[found.start() :]}".strip()[:limit].rstrip()


def _last_crash(crash_text: str) -> str:
    start = crash_text.rfind(_FATAL)
    return crash_text[start:] if start >= 0 else crash_text


def _as_cause(death: Death) -> str:
    return f"its worker {death.how}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown signal"
