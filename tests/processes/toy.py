"""A store and a worker small enough to show what a supervisor does to them: each function is a task of every worker."""

import json
import os
import sys
import threading
import types
from pathlib import Path
from types import SimpleNamespace

from taskkitx.errors import StoreUnavailable
from taskkitx.task import Task


class Backend:
    """Writes down what is asked of it, one JSON line for each verb; does not answer while there is a file `outage`."""

    def __init__(self, path=None):
        self.path = path or os.path.join(os.environ["TEST_FOLDER"], "store")
        self.url = f"toy://{self.path}"
        self.restored = set()

    def tell(self, **fact):
        if self._file("outage").exists():
            raise StoreUnavailable("nobody answers")
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, (json.dumps(fact) + "\n").encode())
        os.close(file)

    def open(self):
        pass

    def close(self):
        pass

    def register(self, record, ttl):
        self.tell(verb="register", worker=record.id, pid=record.pid)

    def deregister(self, worker_ids):
        pass

    def renew(self, workers, ttl):
        self.tell(verb="beat")
        for info in workers.values():
            if "recycled" in info:
                self.tell(verb="renew", recycled=info["recycled"])
        unknown = self._file("unknown").read_text() if self._file("unknown").exists() else ""
        return [worker for worker in workers if worker not in unknown]

    def _file(self, name):
        return Path(self.path).parent / name

    def restore(self, worker_id, charged=None, suspects=None, lost=None, limit=1000):
        if worker_id in self.restored:
            return 0
        self.tell(
            verb="restore",
            worker=worker_id,
            charged={task: lost.cause for task, lost in (charged or {}).items()},
            suspects=list(suspects or {}),
        )
        self.restored.add(worker_id)
        return len(charged or {}) + len(suspects or {})

    def expired_workers(self):
        return []

    def purge(self, limit):
        self.tell(verb="purge")
        return 0

    def alarms(self):
        return []

    def list_tasks(self, which, limit=1):
        return [1] if self._file("suspects").exists() else []

    def listen(self, on_work):
        return None


class Bridge:
    def receive_events(self):
        return iter(())

    def close(self):
        pass


class Kit:
    """What an application file exports; `tasks` are the functions that its workers run, `solo` the lane's."""

    def __init__(self, *tasks, backend=None, solo=()):
        self.backend = backend or Backend()
        self.bridge = Bridge()
        self.handler = SimpleNamespace(tasks=tasks, solo=solo)


class Worker:
    def __init__(self, backend, handler, groups, *, worker_id, settings, slots, bell, **options):
        self.backend, self.slots, self.bell = backend, slots, bell
        self.tasks = handler.solo if options["solo"] else handler.tasks
        self.worker_id = worker_id
        self.stopping = False
        self.given_up = set()

    def open(self):
        self.backend.open()
        self.backend.register(SimpleNamespace(id=self.worker_id, pid=os.getpid()), 30.0)

    def rest(self):
        pass  # its tasks are given from the beginning

    def stop(self):
        self.stopping = True
        self.bell.ring()

    def run(self):
        threads = [
            threading.Thread(target=self._work, args=(number, task), daemon=True)
            for number, task in enumerate(self.tasks)
        ]
        for thread in threads:
            thread.start()
        while not self.stopping or self._busy(threads):
            idle = sum(not thread.is_alive() for thread in threads)
            self.slots.beat(idle, idle)
            self.bell.wait(0.02)
            self._condemn()

    def _busy(self, threads):
        return any(t.is_alive() for n, t in enumerate(threads) if n not in self.given_up)

    def _work(self, number, function):
        task = Task.init("default", function.__name__, b"")
        self.slots.run(number, task, 0.0)
        function()
        self.slots.done(number)

    def _condemn(self):
        """A function called `endless` outlives its limit at once."""
        for number, function in enumerate(self.tasks):
            if function.__name__ == "endless" and number not in self.given_up:
                self.given_up.add(number)
                self.slots.condemn(number)
                self.stop()


def install():
    """Put the toys in place of the engine's worker and stores."""
    worker = types.ModuleType("taskkitx.worker.worker")
    vars(worker)["Worker"] = Worker
    connect = types.ModuleType("taskkitx.backends.connect")
    vars(connect)["connect"] = lambda url, settings=None: (
        Backend(url.removeprefix("toy://")),
        Bridge(),
    )
    backends = types.ModuleType("taskkitx.backends")
    sys.modules["taskkitx.worker.worker"] = worker
    sys.modules.setdefault("taskkitx.backends", backends)
    sys.modules["taskkitx.backends.connect"] = connect
