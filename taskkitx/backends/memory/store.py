"""What the backends of one `memory://NAME` share: the rows, and the two changes everything else is made of."""

import queue
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

from taskkitx.backends.memory import row as rows
from taskkitx.backends.memory.hints import Hints
from taskkitx.backends.memory.row import Row
from taskkitx.event import ControlEvent
from taskkitx.record import Put, WorkerRecord
from taskkitx.task import Task, TaskState

_WORK = (TaskState.QUEUED, TaskState.SOLO, TaskState.PARKED)


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker and until when it is believed alive."""

    worker: WorkerRecord
    end: float


class MemoryStore:
    """All that one store knows. `lock` is held for the whole of every verb."""

    def __init__(self) -> None:
        """Empty."""
        self.lock = threading.RLock()
        self.tasks: dict[str, Row] = {}
        self.keys: dict[str, str] = {}
        """Which task a unique key binds; the binding may have run out since."""
        self.leases: dict[str, Lease] = {}
        self.all_paused = False
        self.paused: dict[str, bool] = {}
        """The last word on a group, where it is later than the last word on all."""
        self.schedulers: dict[str, bytes] = {}
        self.hints = Hints()
        self.inboxes: list[queue.SimpleQueue[ControlEvent | None]] = []

    def put(self, tasks: Iterable[Task], now: float) -> list[Put]:
        """Keep each task that nothing stands in the way of."""
        return [self._put(task, now) for task in tasks]

    def _put(self, task: Task, now: float) -> Put:
        standing = task.id if task.id in self.tasks else self._holder(task.unique_key, now)
        if standing is not None:
            return Put(standing, created=False)
        self.save([rows.new(task, now)], now)
        return Put(task.id, created=True)

    def save(self, changed: Iterable[Row], now: float) -> None:
        """Keep these rows as they are now, let them take or leave their unique keys, and give hints."""
        changed = list(changed)
        for row in changed:
            self.tasks[row.task.id] = row
            self._settle_key(row, now)
        self.hints.work({row.task.group for row in changed if row.state in _WORK})
        self.hints.ended({row.task.id for row in changed if row.state.finished})

    def _settle_key(self, row: Row, now: float) -> None:
        key = row.task.unique_key
        if key is None:
            return
        if not rows.binds(row, now):
            self._free_key(row)
        elif row.waits and self._holder(key, now) is None:
            self.keys[key] = row.task.id

    def _free_key(self, row: Row) -> None:
        key = row.task.unique_key
        if key is not None and self.keys.get(key) == row.task.id:
            del self.keys[key]

    def delete(self, ids: Collection[str]) -> None:
        """Forget these tasks."""
        for task_id in ids:
            self._free_key(self.tasks.pop(task_id))
        self.hints.ended(ids)

    def _holder(self, key: str | None, now: float) -> str | None:
        holder = None if key is None else self.keys.get(key)
        return holder if holder is not None and rows.binds(self.tasks[holder], now) else None

    def running(self, worker_id: str) -> list[Row]:
        """What this worker owns, in order of id."""
        owned = (
            row
            for row in self.tasks.values()
            if row.state is TaskState.RUNNING and row.task.worker_id == worker_id
        )
        return sorted(owned, key=lambda row: row.task.id)

    def known(self, ids: Collection[str]) -> list[Row]:
        """The rows of those of these ids that exist, each once."""
        return [self.tasks[task_id] for task_id in dict.fromkeys(ids) if task_id in self.tasks]

    def is_paused(self, group: str) -> bool:
        """Whether nothing is to be claimed for this group."""
        return self.paused.get(group, self.all_paused)


@cache
def store_at(url: str) -> MemoryStore:
    """The store of this url, the same one for the whole life of the process."""
    return MemoryStore()
