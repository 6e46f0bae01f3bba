"""Feeding a tree with tasks, waiting for their end, and judging by the ledger what was done with them."""

import time
from collections import Counter

from taskkitx.backends.redis.backend import RedisBackend
from taskkitx.backends.redis.scripts import script
from taskkitx.task import TaskState

CUT_SHORT_ON_REDIS = (
    script("cancel").source.partition(b"-- needs:")[0]
    + b"""
for _, group in ipairs(call('SMEMBERS', base .. 'groups')) do
  for _, id in ipairs(call('ZRANGE', base .. 'future:' .. group, 0, -1)) do
    move(load(id), SCHEDULED, { due = '0' })
  end
  for _, member in ipairs(call('ZRANGE', base .. 'solo:' .. group, 0, -1)) do
    move(load(id_at(member)), SOLO, { due = '0' })
  end
end
tell()
"""
)


def feed(kit, generator, count):
    """Put `count` tasks of three kinds; returns their ids."""
    kinds = [("noop", {}), ("sleep", {"seconds": 0.005}), ("boom", {"times": 1})]
    args = [
        {"group": "default", "name": name, "data": data}
        for name, data in generator.choices(kinds, k=count)
    ]
    return [result.id for result in kit.initiate_tasks(*args)]


def cut_back_offs_short(kit):
    """What waits for a moment to come, scheduled or solo, is due now."""
    if isinstance(kit.backend, RedisBackend):
        connections, keys = kit.backend.connections, kit.backend.keys
        connections.ask("EVAL", CUT_SHORT_ON_REDIS, 1, keys.base, "")
        return
    statement = "UPDATE taskkitx_task SET due = 0 WHERE state IN (0, 2)"
    kit.backend.write(lambda session: session.change(statement))


def finish(kit, ids, patience=60.0, *, hurry=False):
    """Return when all these tasks have finished; `hurry` does not wait for back-offs."""
    deadline = time.monotonic() + patience
    left = set(ids)
    while left:
        records = kit.backend.get_many(list(left)[:5000])
        left -= {id for id, record in records.items() if record.state.finished}
        assert time.monotonic() < deadline, Counter(
            (r.state.label, r.task.name, r.task.crashes) for r in records.values()
        )
        if hurry:
            cut_back_offs_short(kit)
        time.sleep(0.1)


def wait_attempts(kit, ids, attempt):
    """Return when that attempt of each of these runs."""
    deadline = time.monotonic() + 30.0
    while True:
        records = kit.backend.get_many(ids).values()
        if all(r.state is TaskState.RUNNING and r.task.attempt == attempt for r in records):
            return
        assert time.monotonic() < deadline, [(r.state.label, r.task.attempt) for r in records]
        cut_back_offs_short(kit)
        time.sleep(0.01)


def assert_nothing_left(tree):
    """No process of this tree, and no file of its but locks and an empty folder for hints."""
    assert tree.session() == set()
    assert tree.files_left() == []


class Ledger:
    """What was executed, as the handlers wrote it down."""

    def __init__(self, path):
        self.started: Counter[tuple[str, int]] = Counter()
        for line in path.read_text().splitlines():
            what, task, attempt, *_ = line.split()
            if what == "X":
                self.started[task, int(attempt)] += 1

    @property
    def twice(self):
        """Attempts that were started more than once."""
        return [attempt for attempt, times in self.started.items() if times > 1]

    def attempts(self, task_id):
        """The attempts of one task that were started, in order."""
        return sorted(attempt for task, attempt in self.started if task == task_id)


def assert_kept_every_promise(kit, ids, ledger):
    """Everything acknowledged has succeeded, by an attempt that was started, and no attempt was started twice."""
    records = kit.backend.get_many(ids)
    states = Counter(records[id].state.label for id in ids)
    assert states == {"succeeded": len(ids)}
    assert ledger.twice == []
    executed = {task for task, _ in ledger.started}
    assert executed == set(ids)
    for id in ids:
        assert (id, records[id].task.attempt) in ledger.started
