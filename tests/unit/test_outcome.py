"""Outcomes and faults are plain facts."""

from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from taskkitx.outcome import Discarded, Fault, Outcome, Retried, Succeeded
from taskkitx.task import Task

TASK = Task.init("g", "n", b"")


def test_a_fault_reads_as_one_line_and_its_trace():
    assert Fault("KeyError", "'x'").text == "KeyError: 'x'"
    assert Fault("KeyError", "'x'", "Traceback\n  line").text == "KeyError: 'x'\nTraceback\n  line"


def test_nothing_follows_unless_told():
    assert Succeeded(TASK, b"").then == Discarded(TASK).then == ()


def test_a_retry_is_charged_unless_told():
    assert Retried(TASK, 1.0, Fault("E", "m")).charged is True


@pytest.mark.parametrize("kind", get_args(Outcome))
def test_every_outcome_says_which_task_and_what_follows(kind):
    fields = kind.__match_args__

    assert fields[0] == "task"
    assert fields[-1] == "then"


def test_outcomes_do_not_change():
    outcome = Discarded(TASK)

    with pytest.raises(FrozenInstanceError):
        outcome.task = TASK  # type: ignore[misc]
