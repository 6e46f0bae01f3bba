"""How somebody who enqueues waits out a restart or a failover; workers have other work, and do not wait here."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from taskkitx import clock
from taskkitx.backends.redis.errors import is_passing
from taskkitx.errors import StoreUnavailable

PATIENCE = 5.0
FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.5

Answer = TypeVar("Answer")


def patiently(work: Callable[[], Answer], patience: float) -> Answer:
    """Do what may be repeated, again for up to `patience` seconds while the trouble may pass.

    Raises StoreUnavailable, at once when waiting does not help.
    """
    give_up = clock.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        try:
            return work()
        except StoreUnavailable as error:
            if not is_passing(error.__cause__) or clock.monotonic() + pause > give_up:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, LONGEST_PAUSE)
