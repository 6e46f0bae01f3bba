"""Schedulers' state: compare and set, together with the tasks that are due."""

from dataclasses import replace

import pytest

from taskkitx.backend import Backend
from taskkitx.task import UniqueUntil
from taskkitx.testing.conformance.given import WORKER, ids, new_task, put_one
from taskkitx.testing.conformance.ground import Ground


class ScheduleConformance(Ground):
    """`scheduler_state`, `fire`."""

    def test_a_scheduler_begins_without_state(self, backend: Backend) -> None:
        assert backend.scheduler_state("s") is None

    def test_firing_keeps_state_and_puts_tasks(self, backend: Backend, other: Backend) -> None:
        tasks = [replace(new_task(), scheduled=123.5), new_task("h")]

        fired = backend.fire("s", None, b"\x00state\xff", tasks)

        assert fired is True
        assert other.scheduler_state("s") == b"\x00state\xff"
        (claim,) = other.claim(WORKER, {"g": 5})
        assert (claim.id, claim.scheduled) == (tasks[0].id, 123.5)
        assert ids(other.claim(WORKER, {"h": 5})) == [tasks[1].id]

    def test_firing_again_from_the_state_it_left(self, backend: Backend) -> None:
        backend.fire("s", None, b"1", [])

        fired = backend.fire("s", b"1", b"2", [new_task()])

        assert fired is True
        assert backend.scheduler_state("s") == b"2"
        assert len(backend.claim(WORKER, {"g": 5})) == 1

    @pytest.mark.parametrize("expected", [None, b"", b"0", b"1 ", b"11", b"1\x00"])
    def test_another_state_than_expected_changes_nothing(
        self, backend: Backend, expected: bytes | None
    ) -> None:
        backend.fire("s", None, b"1", [])

        fired = backend.fire("s", expected, b"2", [new_task()])

        assert fired is False
        assert backend.scheduler_state("s") == b"1"
        assert backend.claim(WORKER, {"g": 5}) == []

    @pytest.mark.parametrize("expected", [b"", b"1"])
    def test_no_state_is_not_an_empty_state(self, backend: Backend, expected: bytes) -> None:
        fired = backend.fire("s", expected, b"2", [new_task()])

        assert fired is False
        assert backend.scheduler_state("s") is None

    def test_an_empty_state_is_a_state(self, backend: Backend) -> None:
        backend.fire("s", None, b"", [])

        assert backend.scheduler_state("s") == b""
        assert backend.fire("s", None, b"1", []) is False
        assert backend.fire("s", b"", b"1", []) is True

    def test_repeating_a_fire_whose_reply_was_lost(self, backend: Backend) -> None:
        task = new_task()
        backend.fire("s", None, b"1", [task])

        repeated = backend.fire("s", None, b"1", [task])

        assert repeated is False
        assert ids(backend.claim(WORKER, {"g": 5})) == [task.id]

    def test_schedulers_keep_apart(self, backend: Backend) -> None:
        for name in ("s", "S", "s ", "é", "e\u0301"):
            assert backend.fire(name, None, name.encode(), []) is True

        for name in ("s", "S", "s ", "é", "e\u0301"):
            assert backend.scheduler_state(name) == name.encode()

    def test_tasks_that_stand_are_not_put_again(self, backend: Backend) -> None:
        standing = put_one(backend, unique_key="key", unique_until=UniqueUntil.DONE)
        double = new_task(unique_key="key", unique_until=UniqueUntil.DONE)

        fired = backend.fire("s", None, b"1", [standing, double])

        assert fired is True
        assert ids(backend.claim(WORKER, {"g": 5})) == [standing.id]
