"""Forking a child that inherits nothing it should not: no pending signal is lost, it dies with its parent."""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Container
from pathlib import Path

from taskkitx import log
from taskkitx.errors import ConfigurationError
from taskkitx.supervisor import signals

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None

INTERNAL_ERROR = 1


def fork(run: Callable[[], int]) -> int:
    """Fork a child that ends with the exit code `run` returns; the parent gets its pid.

    All signals stay blocked in the child until it calls `signals.become_child`. The caller must be the main thread:
    on Linux the child dies with the *thread* that forked it. Raises OSError when the system refuses.
    """
    with signals.blocked():
        pid = os.fork()
        if pid == 0:
            _child(run)
        return pid


def _child(run: Callable[[], int]) -> None:
    """The whole life of the child. It never returns into the parent's frames above it."""
    code = INTERNAL_ERROR
    try:
        atexit._clear()  # pyright: ignore[reportPrivateUsage]  # the parent's farewells are the parent's
        code = run()
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # those the application registered here
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else INTERNAL_ERROR
    except BaseException:  # noqa: BLE001  # the last frame of the process: said, then the exit code says it again
        log.unexpected(where=f"child {os.getpid()}", error=traceback.format_exc())
    finally:
        log.flush()
        real_exit(code)


real_exit = os._exit
"""The system's exit: workers replace `os._exit` by one that leaves its name."""


def die_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send `number` when the parent dies; if it has died already, end here."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        real_exit(0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, so that they are reaped; pid 1 is that anyway."""
    if _libc is not None and os.getpid() != 1:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(ours: Container[int]) -> None:
    """Bury what this process never forked, but inherits as pid 1 or subreaper."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return  # one of ours has just died: its own burial comes with the next turn
        os.waitpid(ended.si_pid, 0)
        log.orphan_reaped(pid=ended.si_pid, how=ended.si_status)


def prefer_for_oom(points: int) -> None:
    """When memory runs out, let the kernel kill this process rather than its supervisor."""
    path = Path("/proc/self/oom_score_adj")
    try:
        path.write_text(str(min(1000, int(path.read_text()) + points)))
    except (OSError, ValueError):
        return  # not Linux, or a sandbox: it was advice only


def share_memory() -> None:
    """Keep the collector from touching what exists now, so that children go on sharing its pages."""
    gc.collect()
    gc.freeze()


def unshare_memory() -> None:
    """Let the collector look at everything again: there will be no more children."""
    gc.unfreeze()


def other_threads() -> list[str]:
    """The names of live Python threads besides the caller's: what they hold at a fork stays held in the child."""
    me = threading.current_thread()
    return [thread.name for thread in threading.enumerate() if thread is not me]


def check_threads(*, strict: bool) -> None:
    """Say that other threads are alive at the fork, or raise ConfigurationError naming them."""
    names = other_threads()
    if names and strict:
        raise ConfigurationError(
            f"other threads are alive ({', '.join(names)}): locks they hold would stay locked in every worker; "
            "start them after the fork, or allow it with strict_fork=False"
        )
    if names:
        log.threads_at_fork(threads=", ".join(names))
    if count := native_threads():
        log.native_threads_at_fork(count=count)


def native_threads() -> int:
    """How many threads that Python knows nothing of live in this process."""
    try:
        total = len(os.listdir("/proc/self/task"))
    except OSError:
        return 0
    return max(0, total - threading.active_count())
