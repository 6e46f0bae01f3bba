"""Running the machine: how long, how random, against what."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]  # untyped
)

from taskkitx.testing.model.care import CareRules
from taskkitx.testing.model.ground import MakeSubject
from taskkitx.testing.model.reads import ReadRules
from taskkitx.testing.model.work import WorkRules

SHORT = settings(max_examples=60, stateful_step_count=50)
LONG = settings(max_examples=600, stateful_step_count=100)

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


class BackendMachine(WorkRules, CareRules, ReadRules):
    """What workers, keepers, producers and people may do to a store, in any order."""


def check_against_memory(make_subject: MakeSubject, **options: Any) -> None:
    """Fail unless the backend that `make_subject` opens, on a fresh store each time, behaves as the memory store.

    Short and always the same, or long and seeded anew where the environment has TASKKITX_SOAK. `options` are settings
    of Hypothesis that count before these.
    """
    soak = os.environ.get("TASKKITX_SOAK", "") not in ("", "0")
    size = settings(LONG) if soak else settings(SHORT, derandomize=True)
    size = settings(size, deadline=None, database=None, suppress_health_check=_SLOW_IS_FINE)
    machine = type("Machine", (BackendMachine,), {"make_subject": staticmethod(make_subject)})
    run_state_machine_as_test(machine, settings=settings(size, **options))
