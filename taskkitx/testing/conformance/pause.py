"""Paused groups: nothing is claimed for them, by any door, and nobody is kept awake."""

import pytest

from taskkitx.backend import Backend
from taskkitx.outcome import Outcome, Retried, Succeeded
from taskkitx.testing.conformance.given import (
    FAULT,
    WORKER,
    claim_all,
    ids,
    make_suspect,
    put_and_claim,
    put_one,
)
from taskkitx.testing.conformance.ground import Ground

BOTH = {"a": 5, "b": 5}


class PauseConformance(Ground):
    """`pause`, `resume`."""

    def test_nothing_is_claimed_for_a_paused_group(self, backend: Backend, other: Backend) -> None:
        put_one(backend, "a")
        task = put_one(backend, "b")

        other.pause(["a"])

        assert ids(backend.claim(WORKER, BOTH)) == [task.id]

    def test_a_resumed_group_is_claimed_again(self, backend: Backend) -> None:
        task = put_one(backend, "a")
        backend.pause(["a", "b"])

        backend.resume(["a"])

        assert ids(backend.claim(WORKER, BOTH)) == [task.id]

    def test_pausing_twice_is_pausing_once(self, backend: Backend) -> None:
        task = put_one(backend, "a")
        backend.pause(["a"])
        backend.pause(["a"])

        backend.resume(["a"])

        assert ids(backend.claim(WORKER, BOTH)) == [task.id]

    def test_all_means_groups_to_come_too(self, backend: Backend) -> None:
        backend.pause(None)

        put_one(backend, "a")

        assert backend.claim(WORKER, BOTH) == []

    def test_all_are_resumed(self, backend: Backend) -> None:
        for group in ("a", "b"):
            put_one(backend, group)
        backend.pause(["a"])
        backend.pause(None)

        backend.resume(None)

        assert len(backend.claim(WORKER, BOTH)) == 2

    def test_resuming_all_resumes_the_named(self, backend: Backend) -> None:
        task = put_one(backend, "a")
        backend.pause(["a"])

        backend.resume(None)

        assert ids(backend.claim(WORKER, BOTH)) == [task.id]

    def test_one_is_resumed_out_of_all(self, backend: Backend) -> None:
        task = put_one(backend, "a")
        put_one(backend, "b")
        backend.pause(None)

        backend.resume(["a"])

        assert ids(backend.claim(WORKER, BOTH)) == [task.id]
        assert {status.group: status.paused for status in backend.groups()} == {
            "a": False,
            "b": True,
        }

    def test_pausing_all_again_pauses_what_was_resumed(self, backend: Backend) -> None:
        put_one(backend, "a")
        backend.pause(None)
        backend.resume(["a"])

        backend.pause(None)

        assert backend.claim(WORKER, BOTH) == []

    @pytest.mark.parametrize("groups", [[], ["c"]])
    def test_other_groups_are_untouched(self, backend: Backend, groups: list[str]) -> None:
        task = put_one(backend, "a")

        backend.pause(groups)

        assert ids(backend.claim(WORKER, BOTH)) == [task.id]

    def test_the_solo_lane_is_paused_with_its_group(self, backend: Backend) -> None:
        make_suspect(backend)

        backend.pause(["g"])
        paused = backend.claim_solo(WORKER, ["g"])
        backend.resume(["g"])

        assert paused is None
        assert backend.claim_solo(WORKER, ["g"]) is not None

    def test_parked_tasks_are_paused_with_their_group(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        backend.release(WORKER, [task], parked=True)

        backend.pause(["g"])
        paused = backend.claim_parked(WORKER, "g", ["n"], 5)
        backend.resume(["g"])

        assert paused == []
        assert ids(backend.claim_parked(WORKER, "g", ["n"], 5)) == [task.id]

    def test_what_runs_goes_on(self, backend: Backend) -> None:
        task, retried = put_and_claim(backend), put_and_claim(backend)
        backend.pause(["g"])

        outcomes: list[Outcome] = [Succeeded(task, b""), Retried(retried, 0.0, FAULT)]
        answer = backend.exchange(WORKER, outcomes, {"g": 5})

        assert set(answer.accepted) == {task.id, retried.id}
        assert answer.claims == []

    def test_due_tasks_of_a_paused_group_keep_nobody_awake(self, backend: Backend) -> None:
        task = put_one(backend, due=backend.now() - 10)
        backend.pause(["g"])

        claims = claim_all(backend)

        assert claims == []
        assert backend.next_due(["g"]) is None
        backend.resume(["g"])
        assert ids(claim_all(backend)) == [task.id]
