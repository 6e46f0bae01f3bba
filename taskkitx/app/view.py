"""A queue as operators see it: reading tasks, cancelling them, dead letters. Everything is bounded or paged."""

from collections.abc import Iterable, Sequence
from typing import Any

from taskkitx.app import dead
from taskkitx.app.handler import QueueHandler
from taskkitx.app.options import Seconds, as_seconds
from taskkitx.app.reading import Page, TaskInfo, as_states, count_states, read_page
from taskkitx.backend import Backend
from taskkitx.errors import NotFound
from taskkitx.record import Record, TaskFilter
from taskkitx.result import Progress, Result
from taskkitx.task import TaskState

State = TaskState | str
Ids = str | Iterable[str]


class View:
    """What can be seen of a store's tasks, and decided about them."""

    def __init__(self, backend: Backend, handler: QueueHandler) -> None:
        """`handler` decodes what is read."""
        self.backend = backend
        self.handler = handler

    # Reading

    def get_result(self, id: str) -> Result[Any]:
        """The handle on any task; nothing is read yet."""
        return Result(self.backend, self.handler, id)

    def get_task(self, id: str) -> TaskInfo:
        """The task as it is now. Raises NotFound."""
        return self._info(self.get_result(id).record())

    def list_tasks(
        self,
        state: State | Sequence[State] | None = None,
        group: str | None = None,
        name: str | None = None,
        *,
        limit: int = 50,
        page: str | None = None,
    ) -> Page[TaskInfo]:
        """A page of tasks, newest first; `page` is the `next` of the page before."""
        which = TaskFilter(states=as_states(state), group=group, name=name)
        return read_page(self.backend, which, limit, page, self._info)

    def stats(self, group: str | None = None) -> dict[str, int]:
        """How many tasks are in each state, by the state's name; each group's count stops at 10,000."""
        return count_states(self.backend, group)

    def progress(self, id: str) -> Progress | None:
        """What a task last reported of itself. Raises NotFound."""
        return self.get_result(id).progress

    def _info(self, record: Record) -> TaskInfo:
        return TaskInfo(record, self.backend, self.handler)

    # Commands

    def cancel(self, id: str, by: str | None = None) -> TaskState:
        """Cancel a task at once where it waits, ask for it where it runs; returns its state now. Raises NotFound."""
        return self.get_result(id).cancel(by)

    # Dead letters

    def dead_letters(
        self,
        group: str | None = None,
        name: str | None = None,
        *,
        limit: int = 50,
        page: str | None = None,
    ) -> Page[TaskInfo]:
        """A page of failed tasks, newest first; `attempts` of each tells how they failed."""
        return read_page(
            self.backend, dead.failed(self.backend, group, name), limit, page, self._info
        )

    def retry_dead(
        self,
        ids: Ids | None = None,
        *,
        group: str | None = None,
        name: str | None = None,
        older_than: Seconds | None = None,
    ) -> int:
        """Queue failed tasks again: these, or all that fit the filter. Returns how many; their history is kept.

        Raises NotFound for a single id that no failed task has.
        """
        if ids is None:
            age = as_seconds("older_than", older_than)
            return dead.replay_all(self.backend, dead.failed(self.backend, group, name, age))
        several = [ids] if isinstance(ids, str) else list(ids)
        replayed = dead.replay(self.backend, several)
        if isinstance(ids, str) and not replayed:
            raise NotFound(f"no failed task {ids}: {self._what_became_of(ids)}")
        return replayed

    def _what_became_of(self, id: str) -> str:
        record = self.backend.get_many([id]).get(id)
        return "it does not exist" if record is None else f"it is {record.state.label}"

    def purge_dead(
        self, older_than: Seconds = 0, *, group: str | None = None, name: str | None = None
    ) -> int:
        """Delete tasks that failed more than `older_than` ago, with their history; returns how many."""
        age = as_seconds("older_than", older_than)
        return dead.purge(self.backend, dead.failed(self.backend, group, name, age))

    def purge_completed(
        self, older_than: Seconds = 0, *, group: str | None = None, name: str | None = None
    ) -> int:
        """Delete tasks that succeeded more than `older_than` ago, results included; returns how many."""
        age = as_seconds("older_than", older_than)
        return dead.purge(self.backend, dead.succeeded(self.backend, group, name, age))
