"""Taking the tasks of this tree's dead workers back: verdict, restore, and what is said about it."""

from collections.abc import Callable
from dataclasses import dataclass

from taskkitx import clock, log
from taskkitx.backend import Backend
from taskkitx.errors import StoreUnavailable
from taskkitx.supervisor.slots import Region, RegionState
from taskkitx.supervisor.verdict import Death, Verdict, judge
from taskkitx.worker.duties import restore_all
from taskkitx.worker.services import FAILED_PAUSE

SECOND_LOOK = 1.0
"""Seconds after which the store has done what a dead worker had asked of it last."""
MOST_BURIED = 1000


@dataclass(slots=True)
class Dead:
    """A worker whose tasks are being taken back. Its region stays as it left it until that is done."""

    region: Region
    worker_id: str
    death: Death
    verdict: Verdict


class Burial:
    """The dead workers whose tasks the store still counts as theirs."""

    def __init__(self, backend: Backend, on_settled: Callable[[Dead, int], None]) -> None:
        """`on_settled` is told of each worker that owns nothing any more, and how many tasks were restored."""
        self._backend = backend
        self._on_settled = on_settled
        self._dead: dict[int, Dead] = {}
        self._buried: dict[str, float] = {}
        """The last dead, in order of their burial, and when to look once more; 0: that has been done."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._dead)

    def add(self, region: Region, death: Death) -> None:
        """A worker has died: judge while its slots and its crash file tell how."""
        region.state = RegionState.DEAD
        verdict = judge(death, region.running(), region.crash.read())
        self._dead[region.index] = Dead(region, region.worker_id, death, verdict)

    def restore(self) -> float:
        """Take back what all of them left. A service: a death makes it due."""
        failed = 0
        for dead in list(self._dead.values()):
            try:
                self._restore(dead)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # one that cannot be restored must not keep the others waiting
                failed += 1
                log.unexpected(f"restoring the tasks of {dead.worker_id}", log.one_line(error))
        return min(self._look_again(), FAILED_PAUSE if failed else float("inf"))

    def _restore(self, dead: Dead) -> None:
        restored = restore_all(
            self._backend,
            dead.worker_id,
            charged=dead.verdict.charged,
            suspects=dead.verdict.suspects | dead.verdict.told,
        )
        del self._dead[dead.region.index]
        _say(dead, restored)
        self._remember(dead.worker_id)
        self._on_settled(dead, restored)

    def is_buried(self, worker_id: str) -> bool:
        """Whether this was a worker of ours, and what it had begun has been taken back."""
        return worker_id in self._buried

    def _remember(self, worker_id: str) -> None:
        self._buried[worker_id] = clock.monotonic() + SECOND_LOOK
        while len(self._buried) > MOST_BURIED:
            del self._buried[next(iter(self._buried))]

    def _look_again(self) -> float:
        """A claim that was on its way to the store when its worker died: nobody has begun such tasks."""
        now = clock.monotonic()
        for worker_id, at in self._buried.items():
            if 0 < at <= now:
                if restored := restore_all(self._backend, worker_id):
                    log.late_claims_restored(worker_id=worker_id, restored=restored)
                self._buried[worker_id] = 0.0
        return min((at for at in self._buried.values() if at), default=float("inf")) - now


def _say(dead: Dead, restored: int) -> None:
    running = {task.task_id: task for task in dead.region.running()}
    for task_id, lost in dead.verdict.charged.items():
        if not running[
            task_id
        ].condemned:  # its worker has said, and written, that it outlived its limit
            log.task_charged(task_id=task_id, task_name=running[task_id].name, cause=lost.cause)
    if restored:
        log.tasks_restored(
            worker_id=dead.worker_id,
            how=dead.death.how,
            restored=restored,
            charged=len(dead.verdict.charged),
            suspects=len(dead.verdict.suspects),
        )
