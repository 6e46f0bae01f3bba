"""Redis against the memory store: whatever is done to both, they answer alike."""

from itertools import count

import pytest

from taskkitx.backends.redis.backend import RedisBackend
from taskkitx.backends.redis.server import server_at
from taskkitx.testing import FakeClock
from taskkitx.testing.model import check_against_memory


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_redis_behaves_as_memory(redis_url: str) -> None:
    numbers = count()

    def subject(clock: FakeClock) -> RedisBackend:
        url = f"{redis_url}?prefix=subject-{next(numbers)}"
        return RedisBackend(server_at(url), clock=clock)

    check_against_memory(subject)
