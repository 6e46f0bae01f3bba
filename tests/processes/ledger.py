"""An application whose tasks misbehave on request and write down, outside the store, every attempt they make."""

import ctypes
import json
import os
import signal
import time
from pathlib import Path

from taskkitx import clock
from taskkitx.errors import DiscardTask
from taskkitx.handler import Limits
from taskkitx.kit import make_kit


class Handler:
    """Runs a task by its name; its data are keyword arguments, `_limits` among them."""

    def __init__(self, ledger):
        self.ledger = ledger

    def handle(self, task):
        self._write("X", task)
        data = json.loads(task.data)
        data.pop("_limits", None)
        result = getattr(self, f"do_{task.name}")(task, **data)
        self._write("E", task)
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
        raise {"MemoryError": MemoryError, "SystemExit": SystemExit, "Discard": DiscardTask}[kind]()

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


held: list[bytearray] = []


def make(folder):
    """The kit whose store and ledger are in this folder."""
    return make_kit(Handler(os.path.join(folder, "ledger")), f"sqlite:///{folder}/tasks.db")


APP = """
import os
from tests.processes.ledger import make
kit = make(os.environ["TEST_FOLDER"])
"""
