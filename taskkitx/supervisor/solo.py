"""The solo lane of a supervisor: one process, one thread, one suspect at a time, as long as suspects wait."""

from dataclasses import dataclass

from taskkitx.supervisor.children import ChildState
from taskkitx.supervisor.crew import Crew

LINGER = 10.0
"""Seconds the lane stays when no suspect waits any more."""


@dataclass
class SoloLane:
    """Whether suspects wait, as the keeper says, and the worker that runs them."""

    crew: Crew
    waiting: bool = False
    _idle_since: float = 0.0

    def tend(self, now: float) -> None:
        """Open the lane, or close it."""
        lane = self.crew.solo_lane
        if lane is None:
            if self.waiting:
                self.crew.spawn(solo=True)
            self._idle_since = now
        elif self.waiting or lane.region.running() or lane.state is not ChildState.READY:
            self._idle_since = now
        elif now - self._idle_since > LINGER:
            lane.drain("no suspect waits for it")
