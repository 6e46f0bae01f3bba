"""An application whose tasks misbehave on request and write down, outside the store, every attempt they make."""

import _thread
import ctypes
import json
import os
import resource
import signal
import threading
import time
from pathlib import Path

from taskkitx import clock
from taskkitx.errors import DiscardTask
from taskkitx.handler import Limits
from taskkitx.kit import make_kit
from taskkitx.supervisor.processes import resident_memory
from tests.processes.points import die_at


class Handler:
    """Runs a task by its name; its data are keyword arguments, `_limits` among them."""

    def __init__(self, ledger, *, dies=False):
        self.ledger = ledger
        self.dies = dies

    def handle(self, task):
        if self.dies:
            die_at("handler before")
        self._write("X", task)
        data = json.loads(task.data)
        data = {name: value for name, value in data.items() if not name.startswith("_")}
        result = getattr(self, f"do_{task.name}")(task, **data)
        self._write("E", task)
        if self.dies:
            die_at("handler after")
        return result

    def _write(self, what, task):
        line = (
            f"{what} {task.id} {task.attempt} {task.worker_id} {os.getpid()} {clock.boottime()}\n"
        )
        file = os.open(self.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)

    def do_noop(self, task):
        return 1

    def do_sleep(self, task, seconds):
        time.sleep(seconds)

    def do_boom(self, task, times=10**9):
        if task.retry_count < times:
            raise ValueError("boom")

    def do_wait(self, task, file):
        while not (Path(self.ledger).parent / file).exists():
            time.sleep(0.01)

    def do_segfault(self, task):
        time.sleep(0.1)
        ctypes.string_at(0)

    def do_abort(self, task):
        time.sleep(0.1)
        os.abort()

    def do_exit(self, task, code):
        time.sleep(0.1)
        os._exit(code)

    def do_kill(self, task):
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    def do_raise(self, task, kind):
        kinds = (MemoryError, SystemExit, KeyboardInterrupt, GeneratorExit, DiscardTask)
        raise {exception.__name__: exception for exception in kinds}[kind]()

    def do_leave_thread(self, task):
        _thread.exit()

    def do_starve(self, task):
        """Ask for more memory than this process may have."""
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 32, hard))
        try:
            bytearray(1 << 40)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    def do_litter(self, task, descriptors, threads, seconds):
        """Open descriptors and start threads, and never mind them."""
        time.sleep(seconds)
        held.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(descriptors))
        for _ in range(threads):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

    def do_endless(self, task):
        while True:
            try:
                time.sleep(60)
            except BaseException:  # noqa: BLE001, S112  # that is the misbehaviour
                continue

    def do_hold(self, task, seconds):
        """Hold the interpreter in C."""
        ctypes.PyDLL(None).usleep(int(seconds * 1e6))

    def do_leak(self, task, megabytes, seconds):
        time.sleep(seconds)
        held.append(bytearray(os.urandom(4096)) * (megabytes << 8))
        return resident_memory(os.getpid())

    def do_devour(self, task):
        """Occupy more and more, until the kernel has had enough."""
        while True:
            held.append(bytearray(os.urandom(4096)) * (8 << 8))

    def do_feast(self, task, megabytes, until):
        """Occupy so much for as long as it takes to be killed, unless that has happened already."""
        meal = bytearray(os.urandom(4096)) * (megabytes << 8)
        if task.loss is None:
            self.do_wait(task, until)
        return len(meal)

    def get_limits(self, task):
        return Limits(**json.loads(task.data).get("_limits", {}))

    def get_retry_interval(self, task, exception):
        return 0.0 if isinstance(exception, ValueError) else None

    def encode_data(self, group, name, data):
        return json.dumps(data).encode()

    def encode_result(self, task, result):
        return json.dumps(result).encode()

    def decode_result(self, task, encoded):
        return json.loads(encoded)


class AskedHandler(Handler):
    """Has its word when a worker was lost, as its task's data tell: seconds, None, or a complaint."""

    def on_worker_lost(self, task, lost):
        self._write("L", task)
        answer = json.loads(task.data).get("_if_lost", 0.0)
        if answer == "raise":
            raise RuntimeError("no idea")
        return answer


held: list[object] = []


def make(folder, *, dies=False, kind=Handler):
    """The kit whose ledger is in this folder, and its store too unless TEST_URL names another."""
    handler = kind(os.path.join(folder, "ledger"), dies=dies)
    return make_kit(handler, os.environ.get("TEST_URL") or f"sqlite:///{folder}/tasks.db")


APP = """
import os
from tests.processes.ledger import make
kit = make(os.environ["TEST_FOLDER"])
"""

DYING_APP = """
import os
from tests.processes.ledger import make
kit = make(os.environ["TEST_FOLDER"], dies=True)
"""

ASKED_APP = """
import os
from tests.processes.ledger import AskedHandler, make
kit = make(os.environ["TEST_FOLDER"], kind=AskedHandler)
"""
