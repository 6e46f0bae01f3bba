"""What a supervisor decides, without any process: back-off, stop signals, what becomes of a worker, replacements."""

import signal
from types import SimpleNamespace

import pytest

from taskkitx.settings import Settings
from taskkitx.supervisor.backoff import Backoff
from taskkitx.supervisor.children import NEVER, ChildState
from taskkitx.supervisor.roll import Replacements
from taskkitx.supervisor.signals import Degree, StopRequests
from taskkitx.supervisor.watch import Finding, View, find

SETTINGS = Settings(hang_timeout=120.0)


class TestBackoff:
    def test_it_doubles_up_to_half_a_minute_and_is_jittered(self):
        backoff = Backoff()

        delays = [backoff.failed(now=0.0) for _ in range(12)]

        for delay, expected in zip(
            delays, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30], strict=True
        ):
            assert 0.8 * expected <= delay <= 1.2 * expected

    def test_the_next_fork_waits_for_it(self):
        backoff = Backoff()

        delay = backoff.failed(now=100.0)

        assert backoff.wait(100.0) == pytest.approx(delay)
        assert backoff.wait(100.0 + delay) <= 0

    def test_a_child_that_becomes_ready_ends_it(self):
        backoff = Backoff()
        backoff.failed(0.0)
        backoff.failed(0.0)

        backoff.succeeded()

        assert backoff.wait(0.0) <= 0
        assert backoff.failed(0.0) <= 0.6

    def test_forks_are_capped_per_second(self):
        backoff = Backoff(forks_per_second=2)
        backoff.forked(10.0)
        backoff.forked(10.4)

        assert backoff.wait(10.5) == pytest.approx(0.5)
        assert backoff.wait(11.0) <= 0


class TestStopRequests:
    def test_the_first_drains_the_second_is_fast_the_third_is_immediate(self):
        requests = StopRequests()

        degrees = []
        for moment in (0.0, 1.0, 2.0, 3.0):
            requests.receive(signal.SIGTERM, moment)
            degrees.append(requests.degree)

        assert degrees == [Degree.DRAIN, Degree.FAST, Degree.NOW, Degree.NOW]

    def test_signals_within_half_a_second_are_one(self):
        requests = StopRequests()

        raised = [requests.receive(signal.SIGTERM, moment) for moment in (0.0, 0.1, 0.4)]

        assert raised == [True, False, False]
        assert requests.degree is Degree.DRAIN

    def test_a_term_and_an_interrupt_count_alike(self):
        requests = StopRequests()

        requests.receive(signal.SIGTERM, 0.0)
        requests.receive(signal.SIGINT, 1.0)

        assert requests.degree is Degree.FAST

    def test_quit_is_immediate_and_never_merged(self):
        requests = StopRequests()

        requests.receive(signal.SIGTERM, 0.0)
        requests.receive(signal.SIGQUIT, 0.1)

        assert requests.degree is Degree.NOW


def view(state=ChildState.READY, *, deadline=NEVER, beat=100.0, condemned=0.0, warned=False):
    return View(state, deadline, beat, condemned, warned)


class TestWatch:
    @pytest.mark.parametrize(
        ("seen", "now", "finding"),
        [
            (view(), 101.0, None),
            (view(), 111.0, Finding.SILENT),
            (view(warned=True), 111.0, None),
            (view(warned=True), 221.0, Finding.HUNG),
            (view(ChildState.DRAINING, warned=True), 221.0, Finding.HUNG),
            (view(ChildState.CONDEMNED, warned=True, condemned=1.0), 221.0, Finding.HUNG),
            (view(ChildState.BOOTING, deadline=160.0, beat=0.0), 159.0, None),
            (view(ChildState.BOOTING, deadline=160.0, beat=0.0), 160.0, Finding.LATE),
            (view(condemned=99.0), 101.0, Finding.CONDEMNED),
            (view(ChildState.DRAINING, condemned=99.0), 101.0, Finding.CONDEMNED),
            (view(ChildState.CONDEMNED, condemned=99.0), 101.0, None),
            (view(ChildState.CONDEMNED, deadline=130.0), 130.0, Finding.SPENT),
            (view(ChildState.DRAINING, deadline=130.0), 130.0, Finding.SPENT),
            (view(ChildState.DUMPING, deadline=226.0), 225.0, None),
            (view(ChildState.DUMPING, deadline=226.0), 226.0, Finding.SPENT),
            (view(ChildState.KILLED), 999.0, None),
        ],
    )
    def test_what_has_become_of_a_worker(self, seen, now, finding):
        assert find(seen, SETTINGS, now) is finding


class Worker(SimpleNamespace):
    """What a replacement needs to know of a worker."""

    @property
    def serving(self):
        return self.state in (ChildState.BOOTING, ChildState.READY)

    def drain(self, why):
        self.end, self.state = why, ChildState.DRAINING

    def die(self):
        self.state, self.gone = ChildState.KILLED, True


def worker(name, state=ChildState.READY):
    return Worker(pid=name, role="worker", state=state, end="", gone=False)


class TestReplacements:
    @pytest.fixture
    def spawned(self):
        return []

    @pytest.fixture
    def replacements(self, spawned):
        def spawn():
            spawned.append(worker(f"new {len(spawned)}", ChildState.BOOTING))
            return spawned[-1]

        return Replacements(spawn, wait_for_old=30.0)

    def test_the_old_one_works_until_the_new_one_is_ready(self, replacements, spawned):
        old = worker("old")
        replacements.roll([old], "HUP")

        replacements.tend(0.0)

        before: ChildState = old.state
        assert before is ChildState.READY
        assert replacements.extra == 1
        spawned[0].state = ChildState.READY
        replacements.tend(1.0)
        assert old.state == ChildState.DRAINING
        assert replacements.extra == 0

    def test_one_at_a_time(self, replacements, spawned):
        first, second = worker("first"), worker("second")
        replacements.roll([first, second], "HUP")
        replacements.tend(0.0)
        spawned[0].state = ChildState.READY
        replacements.tend(1.0)

        replacements.tend(2.0)
        assert len(spawned) == 1  # the first one still drains

        first.die()
        replacements.tend(3.0)
        assert len(spawned) == 2

    def test_a_long_drain_holds_the_next_one_only_for_a_while(self, replacements, spawned):
        first, second = worker("first"), worker("second")
        replacements.roll([first, second], "HUP")
        replacements.tend(0.0)
        spawned[0].state = ChildState.READY
        replacements.tend(1.0)

        replacements.tend(31.0)

        assert len(spawned) == 2

    def test_a_new_one_that_fails_ends_the_roll(self, replacements, spawned):
        first, second = worker("first"), worker("second")
        replacements.roll([first, second], "HUP")
        replacements.tend(0.0)

        spawned[0].die()
        replacements.failed(spawned[0], "it cannot import")
        replacements.tend(1.0)

        assert not replacements.rolling
        assert len(spawned) == 1
        assert first.serving
        assert second.serving

    def test_a_new_one_that_is_not_ready_in_time_ends_the_roll(self, replacements, spawned):
        old = worker("old")
        replacements.roll([old], "HUP")
        replacements.tend(0.0)

        spawned[0].die()
        replacements.tend(60.0)

        assert not replacements.rolling
        assert old.serving

    def test_who_has_gone_by_itself_needs_no_replacement(self, replacements, spawned):
        old = worker("old")
        replacements.roll([old], "HUP")
        old.die()

        replacements.tend(0.0)

        assert spawned == []
        assert not replacements.rolling

    def test_a_worker_is_recycled_once(self, replacements, spawned):
        old = worker("old")

        assert replacements.recycle(old, "max_tasks")
        assert not replacements.recycle(old, "max_tasks")
        replacements.tend(0.0)
        assert not replacements.recycle(old, "max_tasks")
        assert len(spawned) == 1
