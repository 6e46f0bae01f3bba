"""The threads of one group and the claimed tasks they have in stock."""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from taskkitx.result import prevent_to_wait_result
from taskkitx.task import Task

STOCK_SECONDS = 0.020
"""How much work is kept in stock; tasks that take longer are not stocked at all."""
SMOOTHING = 0.3
STOCK_LIFETIME = 1.0

Run = Callable[[int, Task], None]


class Pool:
    """`threads` threads that run what they are given, in order, and call `on_dry` when nothing is left.

    Only the claiming thread calls the methods; counters are lists with one writer per cell, so none needs a lock.
    """

    def __init__(
        self, group: str, threads: int, first: int, run: Run, on_dry: Callable[[], None]
    ) -> None:
        """Threads are numbered from `first` within their worker."""
        self.group = group
        self.threads = threads
        self._run = run
        self._on_dry = on_dry
        self._stock: SimpleQueue[Task | None] = SimpleQueue()
        self._taken = 0
        self._given_at = 0.0
        self._finished = [0] * threads
        self._busy = [0.0] * threads
        self._seen_finished = 0
        self._seen_busy = 0.0
        self._seconds_per_task: float | None = None
        self._threads = [
            threading.Thread(
                target=self._serve, args=(i, first + i), name=f"{group}-{i}", daemon=True
            )
            for i in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def give(self, tasks: list[Task]) -> None:
        """Hand over claimed tasks."""
        self._taken += len(tasks)
        self._given_at = time.monotonic()
        for task in tasks:
            self._stock.put(task)

    def take_back(self) -> list[Task]:
        """The tasks no thread has begun; they are no longer this pool's."""
        tasks: list[Task] = []
        try:
            while True:
                task = self._stock.get_nowait()
                if task is not None:
                    tasks.append(task)
        except Empty:
            self._taken -= len(tasks)
            return tasks

    def stop(self) -> None:
        """Let idle threads end; a busy one ends when its handler returns."""
        for _ in self._threads:
            self._stock.put(None)

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the threads to end."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def dry(self) -> bool:
        """Whether no task is in stock."""
        return self._stock.empty()

    @property
    def stock_is_old(self) -> bool:
        """Whether there is stock although nothing was handed over for a while: all threads are held up."""
        return not self.dry and time.monotonic() - self._given_at > STOCK_LIFETIME

    @property
    def finished(self) -> int:
        """Tasks run so far."""
        return sum(self._finished)

    @property
    def in_hand(self) -> int:
        """Tasks given and not yet run to their end."""
        return self._taken - sum(self._finished)

    @property
    def idle(self) -> int:
        """Threads with nothing to do."""
        return max(0, self.threads - self.in_hand)

    def wanted(self, most_stock: int) -> int:
        """How many tasks to claim now: one for each idle thread, and the stock its recent speed deserves."""
        self._observe()
        stock = 0
        seconds = self._seconds_per_task
        if seconds is not None and seconds < STOCK_SECONDS:
            stock = min(most_stock, int(self.threads * STOCK_SECONDS / max(seconds, 1e-6)))
        return max(0, self.threads + stock - self.in_hand)

    def _observe(self) -> None:
        finished, busy = sum(self._finished), sum(self._busy)
        count = finished - self._seen_finished
        if count == 0:
            return
        seconds = (busy - self._seen_busy) / count
        before = self._seconds_per_task
        self._seconds_per_task = (
            seconds if before is None else before + SMOOTHING * (seconds - before)
        )
        self._seen_finished, self._seen_busy = finished, busy

    def _serve(self, index: int, thread: int) -> None:
        # Once for the thread, which does nothing but run handlers, rather than once for each task.
        with prevent_to_wait_result():
            self._work(index, thread)

    def _work(self, index: int, thread: int) -> None:
        stock, run, finished, busy, clock = (
            self._stock,
            self._run,
            self._finished,
            self._busy,
            time.perf_counter,
        )
        while True:
            if stock.empty():
                self._on_dry()
            task = stock.get()
            if task is None:
                return
            began = clock()
            run(thread, task)
            busy[index] += clock() - began
            finished[index] += 1
