"""When a worker has served long enough."""

import pytest

from taskkitx.settings import Settings
from taskkitx.supervisor.recycle import Growth, Service, far_too_large, too_long

MIB = 2**20


def service(finished=0, age=0.0, rss=0, jitter=0.0, worked=True):
    return Service(finished, age, rss, jitter, worked)


def test_by_default_a_worker_serves_for_ever():
    assert too_long(service(10**9, 10**9, 10**12), Settings()) is None
    assert not far_too_large(service(rss=10**12), Settings())


@pytest.mark.parametrize(
    ("served", "settings", "why"),
    [
        (service(finished=100), Settings(max_tasks=100), "max_tasks"),
        (service(finished=110, jitter=1.0), Settings(max_tasks=100), "max_tasks"),
        (service(finished=90, jitter=-1.0), Settings(max_tasks=100), "max_tasks"),
        (service(age=60.0), Settings(max_age=60.0), "max_age"),
        (service(rss=201 * MIB), Settings(max_rss=200 * MIB), "max_rss"),
    ],
)
def test_a_limit_that_is_reached_is_named(served, settings, why):
    assert why in (too_long(served, settings) or "")


@pytest.mark.parametrize(
    ("served", "settings"),
    [
        (service(finished=99), Settings(max_tasks=100)),
        (service(finished=109, jitter=1.0), Settings(max_tasks=100)),
        (service(finished=0, jitter=-1.0), Settings(max_tasks=1)),
        (service(age=68.0, jitter=1.0), Settings(max_age=60.0)),
        (service(rss=200 * MIB), Settings(max_rss=200 * MIB)),
        (service(rss=900 * MIB, worked=False), Settings(max_rss=200 * MIB)),
    ],
)
def test_below_its_own_limit_a_worker_stays(served, settings):
    assert too_long(served, settings) is None


def test_memory_far_beyond_the_limit_cannot_wait():
    settings = Settings(max_rss=200 * MIB)

    assert not far_too_large(service(rss=300 * MIB), settings)
    assert far_too_large(service(rss=301 * MIB), settings)
    assert not far_too_large(service(rss=301 * MIB, worked=False), settings)


def test_the_task_that_runs_while_memory_grows_is_named():
    growth = Growth()

    growth.sample(100 * MIB, ["boot"])  # what the process began with is nobody's
    growth.sample(101 * MIB, ["small", "small"])
    growth.sample(121 * MIB, ["leak"])
    growth.sample(150 * MIB, [])

    assert growth.culprit == "leak"


def test_nobody_is_named_when_nothing_is_known():
    assert Growth().culprit == ""
