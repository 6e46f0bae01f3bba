"""Sixteen claimers, inserters, a reaper and commands at once: the server may see deadlocks, nobody else does."""

import random
import threading
import time
from collections import Counter
from contextlib import closing

import pytest

from taskkitx import connect
from taskkitx.outcome import Failed, Fault, Outcome, Retried, Succeeded
from taskkitx.record import Lost, WorkerRecord
from taskkitx.task import Task, TaskState
from tests.servers import connect_plainly

SEED = 4
CLAIMERS = 16
GROUPS = ("a", "b")
FAULT = Fault("ValueError", "no such thing")
LEASE = 0.3


class Storm:
    """Threads that use a store as processes would, each through an instance of its own."""

    def __init__(self, url, seconds):
        self.url = url
        self.end = time.monotonic() + seconds
        self.errors: list[BaseException] = []
        self.counts: Counter[str] = Counter()
        self.put: set[str] = set()
        self.accepted: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self):
        roles = [self.claim] * CLAIMERS + [self.insert] * 3 + [self.reap, self.command]
        threads = [
            threading.Thread(target=self._play, args=(role, random.Random(SEED + number)))
            for number, role in enumerate(roles)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _play(self, role, generator):
        backend, _ = connect(self.url)
        try:
            with closing(backend):
                while time.monotonic() < self.end and not self.errors:
                    role(backend, generator)
        except BaseException as error:
            self.errors.append(error)
            raise

    def insert(self, backend, generator):
        tasks = [
            Task.init(
                generator.choice(GROUPS),
                "n",
                b"data",
                unique_key=generator.choice([None, None, f"key {generator.randrange(20)}"]),
                priority=generator.randrange(3),
                delay=generator.choice([None, 0.05]),
            )
            for _ in range(generator.randint(1, 20))
        ]
        answers = backend.put(tasks)
        with self._lock:
            self.put.update(answer.id for answer in answers if answer.created)
        self.counts["put"] += len(tasks)

    def claim(self, backend, generator):
        """One life of a worker: a tenth of them vanish with what they claimed."""
        worker = f"wk_{generator.getrandbits(64):x}"
        backend.register(WorkerRecord(worker), ttl=LEASE)
        outcomes: list[Outcome] = []
        for _ in range(generator.randint(2, 8)):
            backend.renew({worker: {}}, LEASE)
            exchanged = backend.exchange(worker, outcomes, dict.fromkeys(GROUPS, 8))
            with self._lock:
                done = {o.task.id for o in outcomes if not isinstance(o, Retried)}
                self.accepted.update(done & set(exchanged.accepted))
            self.counts["claimed"] += len(exchanged.claims)
            outcomes = [self._outcome(task, generator) for task in exchanged.claims]
            generator.shuffle(outcomes)
        if generator.random() < 0.1:
            return
        backend.release(worker, [outcome.task for outcome in outcomes])
        backend.deregister([worker])

    def _outcome(self, task, generator):
        return generator.choice(
            [
                Succeeded(task, b"1"),
                Succeeded(task, task.id.encode()),
                Failed(task, FAULT),
                Retried(task, 0.02, FAULT),
            ]
        )

    def reap(self, backend, generator):
        for worker in backend.expired_workers():
            while restored := backend.restore(worker, lost=Lost("gone", again=False), limit=5):
                self.counts["restored"] += restored
        backend.purge(50)
        time.sleep(0.05)  # the reaper's rhythm

    def command(self, backend, generator):
        with self._lock:
            some = generator.sample(sorted(self.put), min(10, len(self.put)))
        self.counts["cancelled"] += len(backend.cancel(some, "storm"))
        self.counts["groups"] += len(backend.groups())
        time.sleep(0.02)  # somebody at a screen


def deadlocks(url):
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        return int(cursor.fetchall()[0][1])


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_nobody_sees_a_deadlock(empty_mysql_url, soak):
    """Seen to fail without the replay of deadlocks."""
    url = empty_mysql_url
    before = deadlocks(url)
    storm = Storm(url, 60.0 if soak else 6.0)

    storm.run()

    print(f"seed {SEED}: {dict(storm.counts)}, {deadlocks(url) - before} deadlocks in the server")
    assert storm.errors == []
    assert storm.counts["claimed"] > 0
    assert [task for task, times in storm.accepted.items() if times > 1] == []
    backend, _ = connect(url)
    with closing(backend):
        records = backend.get_many(storm.put)
    finished = {task for task, record in records.items() if record.state.finished}
    done = {TaskState.SUCCEEDED, TaskState.FAILED}
    assert records.keys() == storm.put
    assert storm.accepted.keys() >= {task for task in finished if records[task].state in done}
