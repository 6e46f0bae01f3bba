"""Leases: which workers are known, and which are believed dead."""

from dataclasses import replace

from taskkitx.backend import Backend
from taskkitx.outcome import Succeeded
from taskkitx.record import WorkerRecord
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    ANOTHER,
    CLOSE,
    WORKER,
    near,
    put_and_claim,
    put_and_finish,
)
from taskkitx.testing.conformance.ground import Ground

FULL = WorkerRecord(
    id=WORKER,
    instance="default",
    host="höst.example",
    pid=4711,
    boot_id="b00t",
    pid_namespace="pid:[4026531836]",
    pid_started=123456.0,
    info={"groups": {"g": 4}, "running": [None, "ä"], "rate": 1.5},
)


class LeaseConformance(Ground):
    """`register`, `renew`, `deregister`, `workers`, `expired_workers`."""

    def test_a_registered_worker_is_known(self, backend: Backend, other: Backend) -> None:
        before = backend.now()

        backend.register(FULL, ttl=30.0)

        (known,) = other.workers()
        assert known == replace(FULL, started=known.started, lease_left=known.lease_left)
        assert before - CLOSE <= known.started <= backend.now() + CLOSE
        assert 0 < known.lease_left <= 30.0
        assert other.expired_workers() == []

    def test_registering_again_replaces(self, backend: Backend) -> None:
        backend.register(replace(FULL, host="old"), ttl=-1.0)

        backend.register(FULL, ttl=30.0)

        assert [worker.host for worker in backend.workers()] == [FULL.host]
        assert backend.expired_workers() == []

    def test_workers_come_oldest_first(self, backend: Backend, clock: FakeClock) -> None:
        for worker_id in ("wk_2", "wk_3", "wk_1"):
            backend.register(WorkerRecord(worker_id), ttl=30.0)
            clock.advance(1.0)

        workers = backend.workers()

        assert [worker.id for worker in workers] == ["wk_2", "wk_3", "wk_1"]
        assert [worker.lease_left for worker in workers] == near([27, 28, 29])

    def test_a_lease_ends(self, backend: Backend, clock: FakeClock) -> None:
        backend.register(WorkerRecord(WORKER), ttl=30.0)
        backend.register(WorkerRecord(ANOTHER), ttl=60.0)
        clock.advance(29.0)
        before = backend.expired_workers()

        clock.advance(2.0)

        assert before == []
        assert backend.expired_workers() == [WORKER]
        assert backend.workers()[0].lease_left == near(-1.0)

    def test_a_renewed_lease_goes_on(self, backend: Backend, clock: FakeClock) -> None:
        backend.register(WorkerRecord(WORKER), ttl=30.0)
        clock.advance(20.0)

        known = backend.renew({WORKER: {"rate": 2}}, ttl=30.0)

        clock.advance(20.0)
        assert set(known) == {WORKER}
        assert backend.expired_workers() == []
        assert backend.workers()[0].info == {"rate": 2}

    def test_renewing_revives_whom_nobody_has_buried_yet(self, backend: Backend) -> None:
        backend.register(FULL, ttl=-1.0)
        backend.register(WorkerRecord(ANOTHER), ttl=-1.0)

        known = backend.renew({WORKER: {}, "wk_unknown": {}}, ttl=30.0)

        assert set(known) == {WORKER}
        assert backend.expired_workers() == [ANOTHER]
        assert {worker.id for worker in backend.workers()} == {WORKER, ANOTHER}

    def test_renewing_nobody(self, backend: Backend) -> None:
        assert set(backend.renew({}, ttl=30.0)) == set()

    def test_a_worker_without_tasks_is_forgotten(self, backend: Backend) -> None:
        for worker_id in (WORKER, ANOTHER):
            backend.register(WorkerRecord(worker_id), ttl=30.0)
        put_and_finish(backend)

        backend.deregister([WORKER, "wk_unknown"])

        assert [worker.id for worker in backend.workers()] == [ANOTHER]

    def test_a_worker_that_owns_a_task_stays_known(self, backend: Backend) -> None:
        backend.register(WorkerRecord(WORKER), ttl=-1.0)
        task = put_and_claim(backend)

        backend.deregister([WORKER])
        while_it_runs = backend.workers()
        backend.finish(WORKER, [Succeeded(task, b"")])
        backend.deregister([WORKER])

        assert [worker.id for worker in while_it_runs] == [WORKER]
        assert backend.workers() == []

    def test_a_known_worker_without_tasks_expires_too(self, backend: Backend) -> None:
        backend.register(WorkerRecord(WORKER), ttl=-1.0)

        expired = backend.expired_workers()

        assert expired == [WORKER]
        assert backend.restore(WORKER) == 0
        assert backend.workers() == []
        assert backend.expired_workers() == []

    def test_an_owner_that_was_never_known_counts_as_expired(self, backend: Backend) -> None:
        backend.register(WorkerRecord(ANOTHER), ttl=30.0)
        put_and_claim(backend)
        put_and_claim(backend, ANOTHER)

        expired = backend.expired_workers()

        assert expired == [WORKER]
        assert backend.restore(WORKER) == 1
        assert backend.expired_workers() == []

    def test_an_owner_of_finished_tasks_is_nobodys_concern(self, backend: Backend) -> None:
        put_and_finish(backend)

        assert backend.expired_workers() == []
