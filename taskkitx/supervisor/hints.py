"""From a hint that work arrived to the worker that should look: one is woken, the next only when that one is full."""

import threading
from collections.abc import Sequence

from taskkitx import clock
from taskkitx.supervisor.slots import Region, RegionState
from taskkitx.wakeup import Bell

_LOOK_AFTER = 0.003
_GIVE_UP_AFTER = 0.5


class Ringer:
    """Wakes idle workers. One task needs one of them; a flood needs them all."""

    def __init__(self, regions: Sequence[Region], bell: Bell) -> None:
        """`bell` wakes the keeper's loop, which then calls `spread`."""
        self._regions = regions
        self._bell = bell
        self._lock = threading.Lock()
        self._rung: list[int] = []
        self._rung_at = 0.0

    def hint(self, _: frozenset[str] | None) -> None:
        """Work may have arrived: wake the idlest worker. Called from a thread of the backend."""
        with self._lock:
            self._rung = []
            found = self._ring_next()
        if found:
            self._bell.ring()

    def spread(self) -> float:
        """When the worker woken last has filled up, wake the next; returns seconds until the next look."""
        with self._lock:
            if not self._rung:
                return float("inf")
            last = self._regions[self._rung[-1]]
            if last.beat >= self._rung_at + _LOOK_AFTER / 3 and (
                last.idle or not self._ring_next()
            ):
                self._rung = []  # it has idle threads left: nothing more to do
            elif clock.monotonic() - self._rung_at > _GIVE_UP_AFTER:
                self._rung = []
            return _LOOK_AFTER if self._rung else float("inf")

    def ring_all(self) -> None:
        """Everybody may have work now."""
        for region in self._regions:
            if region.state == RegionState.ALIVE:
                region.bell.ring()

    def _ring_next(self) -> bool:
        idle = [
            region
            for region in self._regions
            if region.state == RegionState.ALIVE
            and region.idle
            and not region.draining
            and not region.solo
            and region.index not in self._rung
        ]
        if not idle:
            return False
        chosen = max(idle, key=lambda region: region.idle)
        self._rung.append(chosen.index)
        self._rung_at = clock.monotonic()
        chosen.bell.ring()
        return True
