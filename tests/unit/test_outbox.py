"""A batch that a store refuses is split until the culprit stands alone."""

import pytest

from taskkitx.errors import StoreRefused
from taskkitx.outcome import Failed, Fault, Outcome, Retried, Succeeded
from taskkitx.task import Task
from taskkitx.worker.outbox import finish_in_parts


class Store:
    """Refuses NUL and lone surrogates in text, and results of 13 bytes."""

    def __init__(self):
        self.written = []

    def finish(self, batch):
        for outcome in batch:
            fault = getattr(outcome, "fault", None)
            if fault is not None and ("\0" in fault.text or "\ud800" in fault.text):
                raise StoreRefused("text")
            if len(getattr(outcome, "result", b"")) == 13:
                raise StoreRefused("13 bytes")
        self.written += batch
        return {outcome.task.id for outcome in batch}


def tasks(count):
    return [Task.init("g", "n", b"") for _ in range(count)]


@pytest.mark.parametrize("said", ["a\0b", "a\ud800b"])
def test_what_an_exception_says_never_keeps_its_task_from_being_retried(said):
    store = Store()
    fine, odd, other = tasks(3)
    batch: list[Outcome] = [
        Succeeded(fine, b"1"),
        Retried(odd, 2.0, Fault("E", said, said)),
        Succeeded(other, b""),
    ]

    accepted = finish_in_parts(store.finish, batch)

    assert set(accepted) == {fine.id, odd.id, other.id}
    (retried,) = [outcome for outcome in store.written if isinstance(outcome, Retried)]
    escaped = said.replace("\0", "\\x00").replace("\ud800", "\\ud800")
    assert (retried.interval, retried.fault.message) == (2.0, escaped)


def test_a_result_that_is_refused_fails_its_task_alone():
    store = Store()
    fine, odd = tasks(2)

    accepted = finish_in_parts(store.finish, [Succeeded(odd, b"x" * 13), Succeeded(fine, b"1")])

    assert set(accepted) == {fine.id, odd.id}
    (failed,) = [outcome for outcome in store.written if isinstance(outcome, Failed)]
    assert "its outcome cannot be stored: 13 bytes" in failed.fault.message
