"""Where a worker's tasks come from: its groups, or the lane of suspects that are run alone."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from taskkitx.backend import Backend
from taskkitx.outcome import Outcome
from taskkitx.record import Exchanged
from taskkitx.task import Task

SOLO_POOL = "solo"


class Claiming(Protocol):
    """How outcomes are exchanged for claims, and which pool runs a claim."""

    def exchange(self, outcomes: Sequence[Outcome], wanted: Mapping[str, int]) -> Exchanged:
        """Write outcomes, claim up to the wanted number for each pool."""
        ...

    def pool_of(self, task: Task) -> str:
        """The name of the pool that runs this task."""
        ...

    def next_due(self) -> float | None:
        """Seconds until a scheduled task is due; None when there is none."""
        ...


class GroupClaiming:
    """A pool for each group."""

    def __init__(self, backend: Backend, worker_id: str, groups: Collection[str]) -> None:
        """Claims as `worker_id` for `groups`."""
        self._backend, self._worker_id, self._groups = backend, worker_id, groups

    def exchange(self, outcomes: Sequence[Outcome], wanted: Mapping[str, int]) -> Exchanged:
        """The backend's own exchange."""
        return self._backend.exchange(self._worker_id, outcomes, wanted)

    def pool_of(self, task: Task) -> str:
        """Its group's; any for an id that somebody else has made, which may name no group of ours."""
        group = task.group
        return group if group in self._groups else next(iter(self._groups))

    def next_due(self) -> float | None:
        """As the store tells."""
        return self._backend.next_due(self._groups)


class SoloClaiming:
    """One pool of one thread for the suspects of all groups."""

    def __init__(self, backend: Backend, worker_id: str, groups: Collection[str]) -> None:
        """Claims as `worker_id` for `groups`."""
        self._backend, self._worker_id, self._groups = backend, worker_id, groups

    def exchange(self, outcomes: Sequence[Outcome], wanted: Mapping[str, int]) -> Exchanged:
        """Finish, then claim one suspect: two short transactions, on no hot path."""
        accepted = self._backend.finish(self._worker_id, outcomes)
        suspect = self._backend.claim_solo(self._worker_id, self._groups) if wanted else None
        return Exchanged(accepted, [] if suspect is None else [suspect])

    def pool_of(self, task: Task) -> str:
        """The only one."""
        return SOLO_POOL

    def next_due(self) -> float | None:
        """Suspects come without notice: the poll of last resort finds them."""
        return None
