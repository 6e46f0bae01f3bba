"""Hints: whoever waits is woken. Waits have a deadline only so that a failure ends."""

import threading
from collections.abc import Callable

import pytest

from taskkitx.backend import Backend, Watch
from taskkitx.outcome import Retried, Succeeded
from taskkitx.task import Task
from taskkitx.testing.conformance.given import (
    EVERY_END,
    FAULT,
    WORKER,
    claim_one,
    every_outcome,
    new_task,
    put_and_claim,
    put_and_finish,
    put_one,
)
from taskkitx.testing.conformance.ground import Ground

DEADLINE = 10.0
FOREVER = 600.0

Make = Callable[[Backend], None]


class Ear:
    """Hears hints, and waits for the one that matters."""

    def __init__(self) -> None:
        """Has heard nothing."""
        self.calls = 0
        self._heard: set[str] = set()
        self._change = threading.Condition()

    def __call__(self, groups: frozenset[str] | None) -> None:
        """What is given to `listen`."""
        with self._change:
            self.calls += 1
            self._heard |= {"g"} if groups is None else groups
            self._change.notify_all()

    def hears(self, group: str = "g") -> bool:
        """Whether a hint of this group (or of any) comes before the deadline; hints heard so far are forgotten."""
        with self._change:
            heard = self._change.wait_for(lambda: group in self._heard, DEADLINE)
            self._heard.clear()
            return heard


def _put(backend: Backend) -> None:
    put_one(backend)


def _retry_an_attempt(backend: Backend) -> None:
    task = claim_one(backend)
    backend.finish(WORKER, [Retried(task, 0.0, FAULT)])


def _release(backend: Backend) -> None:
    backend.release(WORKER, [claim_one(backend)])


def _restore(backend: Backend) -> None:
    claim_one(backend)
    backend.restore(WORKER)


def _follow(backend: Backend) -> None:
    task = claim_one(backend)
    backend.finish(WORKER, [Succeeded(task, b"", then=(new_task(),))])


def _fire(backend: Backend) -> None:
    backend.fire("s", None, b"1", [new_task()])


def _resume(backend: Backend) -> None:
    backend.pause(["g"])
    backend.resume(["g"])


def _resume_all(backend: Backend) -> None:
    backend.pause(None)
    backend.resume(None)


@pytest.mark.usefixtures("hints")
class HintConformance(Ground):
    """`listen`, `watch`, where the store has the capability `hints`."""

    @pytest.mark.parametrize(
        "make_work",
        [_put, _retry_an_attempt, _release, _restore, _follow, _fire, _resume, _resume_all],
        ids=lambda make: make.__name__.strip("_"),
    )
    def test_a_listener_hears_of_work(
        self, backend: Backend, other: Backend, make_work: Make
    ) -> None:
        put_one(backend)
        ear = Ear()

        with other.listen(ear):
            make_work(backend)

            assert ear.hears()

    def test_a_listener_hears_of_finished_tasks_queued_again(
        self, backend: Backend, other: Backend
    ) -> None:
        task = put_and_finish(backend)
        ear = Ear()

        with other.listen(ear):
            backend.retry([task.id])

            assert ear.hears()

    def test_a_listener_hears_its_own_instance(self, backend: Backend) -> None:
        ear = Ear()

        with backend.listen(ear):
            put_one(backend)

            assert ear.hears()

    def test_a_listener_is_called_by_another_thread(self, backend: Backend) -> None:
        callers: list[threading.Thread] = []
        ear = Ear()

        def on_work(groups: frozenset[str] | None) -> None:
            callers.append(threading.current_thread())
            ear(groups)

        with backend.listen(on_work):
            put_one(backend)

            assert ear.hears()
            assert threading.current_thread() not in callers

    @pytest.mark.parametrize("how", ["listener", "backend"])
    def test_who_has_left_is_not_called(self, backend: Backend, other: Backend, how: str) -> None:
        gone, there = Ear(), Ear()
        listener = other.listen(gone)
        put_one(backend)
        assert gone.hears()
        (listener if how == "listener" else other).close()
        calls = gone.calls

        with backend.listen(there):
            put_one(backend)

            assert there.hears()
            assert gone.calls == calls

    @pytest.mark.parametrize("kind", EVERY_END)
    def test_a_watcher_is_woken_by_the_end(
        self, backend: Backend, other: Backend, kind: str
    ) -> None:
        task = put_and_claim(backend)

        with other.watch(task.id) as watch:
            waiting = _wait(watch)
            backend.finish(WORKER, [every_outcome(task)[kind]])
            waiting.join(DEADLINE)

            assert not waiting.is_alive()

    def test_a_watcher_is_woken_by_a_cancel(self, backend: Backend, other: Backend) -> None:
        task = put_one(backend)

        with other.watch(task.id) as watch:
            waiting = _wait(watch)
            backend.cancel([task.id])
            waiting.join(DEADLINE)

            assert not waiting.is_alive()

    def test_an_end_before_the_wait_is_not_missed(self, backend: Backend, other: Backend) -> None:
        task = put_and_claim(backend)

        with other.watch(task.id) as watch:
            backend.finish(WORKER, [Succeeded(task, b"")])
            waiting = _wait(watch)
            waiting.join(DEADLINE)

            assert not waiting.is_alive()

    def test_every_watcher_of_a_task_is_woken(self, backend: Backend, other: Backend) -> None:
        task = put_and_claim(backend)

        with other.watch(task.id) as first, other.watch(task.id) as second:
            waiting = [_wait(first), _wait(second)]
            backend.finish(WORKER, [Succeeded(task, b"")])
            for thread in waiting:
                thread.join(DEADLINE)

            assert not any(thread.is_alive() for thread in waiting)


class WaitConformance(Ground):
    """`watch` without anything to tell, which every store offers."""

    def test_a_wait_ends_at_its_timeout(self, backend: Backend) -> None:
        task: Task = put_one(backend)

        with backend.watch(task.id) as watch:
            watch.wait(0.01)
            watch.wait(0.0)

    def test_an_unknown_task_can_be_watched(self, backend: Backend) -> None:
        with backend.watch("g_unknown") as watch:
            watch.wait(0.01)

    def test_listening_and_leaving(self, backend: Backend) -> None:
        ear = Ear()

        with backend.listen(ear):
            put_one(backend)
        calls = ear.calls
        put_one(backend)

        assert ear.calls == calls


def _wait(watch: Watch) -> threading.Thread:
    thread = threading.Thread(target=watch.wait, args=(FOREVER,), daemon=True)
    thread.start()
    return thread
