"""What Redis may do to a supervisor's tree under load: no process ends, what it kept is done, what it lost is told."""

import shutil
import signal
import threading
import time
from collections import Counter

import pytest
import redis

from taskkitx.errors import NotFound, StoreUnavailable
from taskkitx.record import TaskFilter
from tests.processes.ledger import APP
from tests.processes.promises import Ledger, assert_kept_every_promise, finish

SETTINGS = {"poll_interval": 0.2, "reconcile_interval": 1.0, "lease_ttl": 6.0}
BATCH = 20
PATIENCE = 30.0


pytestmark = pytest.mark.parametrize("store", ["redis"], indirect=True)


@pytest.fixture
def admin(store):
    with redis.Redis.from_url(store, socket_timeout=10) as client:
        yield client


@pytest.fixture
def ready(tree):
    """A tree at work, and the pids it has."""
    made = tree(APP, toy=False, processes=2, groups={"default": 4}, settings=SETTINGS)
    made.wait("supervisor_ready")
    return made


class Producer:
    """Puts tasks without a pause until it leaves; knows which were acknowledged, and which were not."""

    def __init__(self, kit):
        self.kit = kit
        self.acknowledged = []
        self.refusals = []
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stopping:
            args = {"group": "default", "name": "sleep", "data": {"seconds": 0.005}}
            try:
                results = self.kit.initiate_tasks(*[args] * BATCH)
            except StoreUnavailable as error:
                with self._news:
                    self.refusals.append(str(error))
                    self._news.notify_all()
                continue
            with self._news:
                self.acknowledged += [result.id for result in results]
                self._news.notify_all()
            # The tree does about 1,500 of these a second: what it is given must not pile up.
            time.sleep(0.02)

    def wait(self, predicate):
        with self._news:
            assert self._news.wait_for(lambda: predicate(self), PATIENCE), self.refusals[-1:]

    def more(self):
        """Return when many more have been put."""
        goal = len(self.acknowledged) + 10 * BATCH
        self.wait(lambda producer: len(producer.acknowledged) >= goal)

    def __enter__(self):
        self._thread.start()
        self.more()
        return self

    def __exit__(self, *exc):
        self._stopping = True
        self._thread.join(PATIENCE)


def assert_nobody_left(tree, pids):
    """Every process that was there is there, and they stop as they should."""
    assert tree.session() == pids, tree.text
    tree.signal(signal.SIGTERM)
    assert tree.exit() == 0, tree.text
    assert tree.seen("worker_died") == tree.seen("keeper_died") == []


def assert_ran_once(ledger, ids):
    """No process died, so nothing was to be run twice."""
    times = Counter(task for task, _ in ledger.started)
    assert times == dict.fromkeys(ids, 1)


def test_scripts_that_redis_forgets_are_given_again(ready, kit, admin, tmp_path):
    """Seen to fail with NOSCRIPT not answered by sending the script itself."""
    pids = ready.session()

    with Producer(kit) as producer:
        for _ in range(10):
            admin.script_flush()
            producer.more()

    finish(kit, producer.acknowledged)
    ledger = Ledger(tmp_path / "ledger")
    assert_kept_every_promise(kit, producer.acknowledged, ledger)
    assert_ran_once(ledger, producer.acknowledged)
    assert producer.refusals == []
    assert ready.seen("store_down") == []
    assert_nobody_left(ready, pids)


def test_connections_that_are_all_killed_again_and_again(ready, kit, admin, tmp_path):
    """Seen to fail with putting not repeated after a lost reply."""
    pids = ready.session()

    with Producer(kit) as producer:
        for _ in range(10):
            for kind in ("normal", "pubsub"):
                admin.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            producer.more()

    finish(kit, producer.acknowledged)
    ledger = Ledger(tmp_path / "ledger")
    assert_kept_every_promise(kit, producer.acknowledged, ledger)
    assert_ran_once(ledger, producer.acknowledged)
    assert producer.refusals == []
    assert_nobody_left(ready, pids)


def test_a_full_redis_takes_nothing_new_and_lets_what_it_has_be_done(ready, kit, admin, tmp_path):
    """Seen to fail with outcomes that begin with a write a full Redis refuses (SADD before ZREM)."""
    pids = ready.session()

    with Producer(kit) as producer:
        kit.send_pause_event()
        producer.more()
        admin.config_set("maxmemory", 1)
        try:
            producer.wait(lambda producer: producer.refusals)
            waiting = list(producer.acknowledged)
            kit.backend.resume(None)
            finish(kit, waiting)
        finally:
            admin.config_set("maxmemory", 0)
        producer.more()

    finish(kit, producer.acknowledged)
    assert "maxmemory" in producer.refusals[0]
    ledger = Ledger(tmp_path / "ledger")
    assert_kept_every_promise(kit, producer.acknowledged, ledger)
    assert_ran_once(ledger, producer.acknowledged)
    assert_nobody_left(ready, pids)


def test_a_redis_that_is_killed_and_keeps_its_file(ready, kit, redis_server, tmp_path):
    """Seen to fail with putting that does not wait for a Redis that restarts."""
    pids = ready.session()

    with Producer(kit) as producer:
        for _ in range(2):
            redis_server.kill()
            redis_server.start()
            producer.more()

    finish(kit, producer.acknowledged)
    ledger = Ledger(tmp_path / "ledger")
    assert_kept_every_promise(kit, producer.acknowledged, ledger)
    assert_ran_once(ledger, producer.acknowledged)
    assert producer.refusals == []
    assert_nobody_left(ready, pids)


def flush(redis_server, admin):
    admin.flushall()


def restart_without_data(redis_server, admin):
    redis_server.kill()
    for path in redis_server.folder.glob("appendonly*"):  # a folder since Redis 7
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    redis_server.start()


@pytest.mark.parametrize("lose", [flush, restart_without_data])
def test_a_redis_that_loses_everything(ready, kit, redis_server, admin, tmp_path, lose):
    """Seen to fail with an exchange that does not look at the epoch, and with a fence that lost tasks pass."""
    pids = ready.session()

    with Producer(kit) as producer:
        lose(redis_server, admin)
        ready.wait("store_emptied", count=2)
        producer.more()

    assert producer.refusals == []
    # Nothing was invented, and what is there is done
    kept = [record.task.id for record in kit.backend.list_tasks(TaskFilter(), limit=100_000)]
    assert len(kept) >= 5 * BATCH
    assert set(kept) < set(producer.acknowledged)
    finish(kit, kept)
    records = kit.backend.get_many(kept)
    assert Counter(r.state.label for r in records.values()) == {"succeeded": len(kept)}
    # Nothing was run twice, neither of what is there nor of what is gone
    executed = Counter(task for task, _ in Ledger(tmp_path / "ledger").started)
    assert set(kept) <= set(executed) <= set(producer.acknowledged)
    assert set(executed.values()) == {1}
    # What is gone is told as gone
    assert ready.seen("outcomes_refused")
    (gone, *_) = set(producer.acknowledged) - set(kept)
    with pytest.raises(NotFound):
        kit.get_result(gone).get(timeout=1)
    assert_nobody_left(ready, pids)
