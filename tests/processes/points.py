"""Stores that fail at named moments, each once: right before a verb, or after its commit and before its reply. Workers
and keeper alike: whoever comes first to a moment dies there, or loses the reply."""

import os
import signal
import time
from pathlib import Path

from taskkitx.errors import StoreUnavailable

POINTS = [
    "register before",
    "register after",
    "claim before",
    "claim after",
    "finish before",
    "finish after",
    "release before",
    "release after",
    "renew before",
    "renew after",
    "restore before",
    "restore after",
    "purge before",
    "purge after",
    "deregister before",
    "deregister after",
    "handler before",
    "handler after",
]


LOST_REPLIES = [point for point in POINTS if point.endswith("after") and "handler" not in point]


def first_at(point):
    """Whether nobody has been here before."""
    try:
        os.close(os.open(Path(os.environ["TEST_FOLDER"], point), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die_at(point):
    """End the process as kill -9 does, unless another has died here already."""
    if first_at(point):
        os.kill(os.getpid(), signal.SIGKILL)


def lose_reply_at(point):
    """What has been committed is not heard of."""
    if point in LOST_REPLIES and first_at(point):
        raise StoreUnavailable("the connection broke before the reply")


class Dying:
    """A backend around another."""

    at = staticmethod(die_at)

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def _around(self, verb, *args, **options):
        self.at(f"{verb} before")
        answer = getattr(self._backend, verb)(*args, **options)
        self.at(f"{verb} after")
        return answer

    def register(self, *args):
        return self._around("register", *args)

    def renew(self, *args):
        return self._around("renew", *args)

    def restore(self, *args, **options):
        return self._around("restore", *args, **options)

    def purge(self, *args):
        return self._around("purge", *args)

    def deregister(self, *args):
        return self._around("deregister", *args)

    def release(self, *args, **options):
        return self._around("release", *args, **options)

    def exchange(self, worker_id, outcomes, wanted):
        if outcomes:
            self.at("finish before")
        if wanted:
            self.at("claim before")
        exchanged = self._backend.exchange(worker_id, outcomes, wanted)
        if outcomes:
            self.at("finish after")
        if exchanged.claims:
            self.at("claim after")
        return exchanged


class Losing(Dying):
    """The same, but only replies are lost."""

    at = staticmethod(lose_reply_at)


class Counted:
    """A backend around another that writes down every exchange: the moment, how much was wanted and given back."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def exchange(self, worker_id, outcomes, wanted):
        exchanged = self._backend.exchange(worker_id, outcomes, wanted)
        line = f"{time.monotonic()} {worker_id} {sum(wanted.values())} {len(outcomes)}\n"
        file = os.open(
            Path(os.environ["TEST_FOLDER"], "exchanges"), os.O_WRONLY | os.O_APPEND | os.O_CREAT
        )
        os.write(file, line.encode())
        os.close(file)
        return exchanged


def install(kind):
    """From now on every store that is connected to is such a one."""
    from taskkitx.backends import connect as module

    connect = module.connect

    def connect_to_it(*args, **options):
        backend, bridge = connect(*args, **options)
        return kind(backend), bridge

    module.connect = connect_to_it
