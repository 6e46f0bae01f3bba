"""When the next fork is allowed: slower after children that died before they were ready, and never too many at once."""

import random
from collections import deque
from dataclasses import dataclass, field

FIRST = 0.5
LONGEST = 30.0
FORKS_PER_SECOND = 10


@dataclass(slots=True)
class Backoff:
    """Grows with deaths before readiness, ends with the first child that becomes ready."""

    deaths: int = 0
    allowed_at: float = 0.0
    forks_per_second: int = FORKS_PER_SECOND
    _forks: deque[float] = field(default_factory=deque[float])

    def failed(self, now: float) -> float:
        """A child died before it was ready, or could not be forked; returns the seconds until the next try."""
        delay = min(LONGEST, FIRST * 2.0**self.deaths) * random.uniform(0.8, 1.2)
        self.deaths += 1
        self.allowed_at = now + delay
        return delay

    def succeeded(self) -> None:
        """A child became ready."""
        self.deaths = 0
        self.allowed_at = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a fork is allowed; <= 0: now."""
        wait = self.allowed_at - now
        while self._forks and now - self._forks[0] >= 1.0:
            self._forks.popleft()
        if len(self._forks) >= self.forks_per_second:
            wait = max(wait, self._forks[0] + 1.0 - now)
        return wait

    def forked(self, now: float) -> None:
        """A child was forked."""
        self._forks.append(now)
