"""What has become of one worker, and what to do about it: late at boot, silent, beyond a limit."""

import signal
from dataclasses import dataclass
from enum import Enum

from taskkitx import log
from taskkitx.settings import Settings
from taskkitx.supervisor.children import ChildState, WorkerChild

WARN_AFTER = 10.0
"""Seconds of silence worth a warning."""
DUMP_FOR = 5.0
"""Seconds a hung worker has to write its stacks."""


class Finding(Enum):
    """What a look at a worker may find; None of these most of the time."""

    LATE = "was not ready in time"
    SILENT = "is silent"
    HUNG = "hangs"
    CONDEMNED = "has a task beyond its limit"
    SPENT = "was given all the time there is"


@dataclass(frozen=True, slots=True)
class View:
    """The facts a judgement needs, in monotonic seconds."""

    state: ChildState
    deadline: float
    beat: float
    condemned: float
    warned: bool


def find(view: View, settings: Settings, now: float) -> Finding | None:
    """Decide, without doing anything."""
    if now >= view.deadline:
        return Finding.LATE if view.state is ChildState.BOOTING else Finding.SPENT
    if view.state in (ChildState.BOOTING, ChildState.DUMPING, ChildState.KILLED):
        return None
    # A worker that has not begun to claim has not begun to beat either: its deadline is what counts.
    silence = now - view.beat if view.beat else 0.0
    if silence > settings.hang_timeout > 0:
        return Finding.HUNG
    if view.condemned and view.state in (ChildState.READY, ChildState.DRAINING):
        return Finding.CONDEMNED
    if silence > WARN_AFTER and not view.warned:
        return Finding.SILENT
    return None


def look(worker: WorkerChild) -> View:
    """The facts about a worker now."""
    region = worker.region
    return View(worker.state, worker.deadline, region.beat, region.condemned, worker.warned)


def act(worker: WorkerChild, finding: Finding, settings: Settings, now: float) -> None:
    """Do what a finding asks for, and say so."""
    who = {"role": worker.role, "pid": worker.pid}
    silence = now - worker.region.beat
    match finding:
        case Finding.SILENT:
            worker.warned = True
            log.worker_silent(**who, seconds=silence)
        case Finding.HUNG:
            worker.state, worker.deadline = ChildState.DUMPING, now + DUMP_FOR
            worker.hung = silence
            worker.signal(signal.SIGABRT)
            log.worker_hung(**who, seconds=silence)
        case Finding.CONDEMNED:
            worker.state = ChildState.CONDEMNED
            worker.deadline = min(worker.deadline, now + settings.condemn_grace)
            worker.region.draining = 1
            tasks = ", ".join(t.task_id for t in worker.region.running() if t.condemned)
            log.worker_condemned(**who, tasks=tasks, grace=settings.condemn_grace)
        case Finding.LATE | Finding.SPENT:
            reason = _why_killed(worker, settings)
            worker.kill()
            log.worker_killed(**who, reason=reason)


def _why_killed(worker: WorkerChild, settings: Settings) -> str:
    match worker.state:
        case ChildState.BOOTING:
            return f"not ready within {settings.boot_timeout:g} s"
        case ChildState.CONDEMNED:
            return f"its other tasks did not finish within {settings.condemn_grace:g} s"
        case ChildState.DUMPING:
            return f"it did not die of its hang within {DUMP_FOR:g} s"
        case _:
            return f"still running at the end of its drain ({worker.end})"
