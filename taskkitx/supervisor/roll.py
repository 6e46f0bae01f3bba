"""Voluntary replacement of workers, one at a time: the new one is ready before the old one drains."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from taskkitx import log
from taskkitx.supervisor.children import ChildState, WorkerChild


@dataclass
class Replacements:
    """Who waits to be replaced, and the replacement under way."""

    spawn: Callable[[], WorkerChild | None]
    wait_for_old: float
    """Seconds an old worker may drain before the next one's turn comes; it may go on draining."""
    on_rolled: Callable[[], None] = lambda: None
    """Called when a rolling restart is over, done or given up."""
    _queue: deque[tuple[WorkerChild, str]] = field(default_factory=deque[tuple[WorkerChild, str]])
    _old: WorkerChild | None = None
    _new: WorkerChild | None = None
    _why: str = ""
    _next_at: float = 0.0
    _rolling: bool = False

    @property
    def rolling(self) -> bool:
        """Whether a rolling restart is under way."""
        return self._rolling

    @property
    def extra(self) -> int:
        """How many workers there are on purpose beyond the wanted number: a new one beside its old one."""
        return int(
            self._old is not None
            and self._new is not None
            and self._old.serving
            and self._new.serving
        )

    @property
    def newcomer(self) -> WorkerChild | None:
        """The new worker of the replacement under way."""
        return self._new

    def roll(self, workers: Iterable[WorkerChild], why: str) -> None:
        """Replace all of them, from the beginning if a roll is under way."""
        self._queue = deque((worker, why) for worker in workers if worker is not self._new)
        self._rolling = True
        log.roll_started(workers=len(self._queue), reason=why)

    def recycle(self, worker: WorkerChild, why: str) -> bool:
        """Replace this one, in its turn; False when that was planned already."""
        if worker is self._old or any(worker is queued for queued, _ in self._queue):
            return False
        log.recycle(role=worker.role, pid=worker.pid, reason=why)
        self._queue.append((worker, why))
        return True

    def failed(self, worker: WorkerChild, why: str) -> None:
        """A worker died or will die before it was ready; if it was the newcomer, the old ones stay."""
        if worker is self._new:
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._queue.clear()
        self._old = self._new = None
        if self._rolling:
            log.roll_aborted(reason=why)
            self._end_roll()

    def _end_roll(self) -> None:
        self._rolling = False
        self.on_rolled()

    def tend(self, now: float) -> None:
        """Take the next step."""
        if self._new is not None and self._old is not None:
            self._hand_over(now)
        elif self._old is None or not self._is_draining(self._old) or now >= self._next_at:
            self._begin()

    def _hand_over(self, now: float) -> None:
        assert self._old is not None
        assert self._new is not None
        if self._new.state is ChildState.READY:
            if self._old.serving:
                self._old.drain(self._why)
                log.worker_drains(role=self._old.role, pid=self._old.pid, reason=self._why)
            self._new, self._next_at = None, now + self.wait_for_old
        elif not self._new.serving:
            self._give_up("the new worker was not ready in time")

    def _begin(self) -> None:
        while self._queue and not self._queue[0][0].serving:
            self._queue.popleft()  # gone by itself: its successor is new already
        if not self._queue:
            self._old = None
            if self._rolling:
                log.roll_finished()
                self._end_roll()
            return
        new = self.spawn()
        if new is not None:
            self._old, self._why = self._queue.popleft()
            self._new = new

    def _is_draining(self, worker: WorkerChild) -> bool:
        return worker.state is ChildState.DRAINING and not worker.gone
