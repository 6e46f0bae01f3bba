"""Finished attempts on their way into the store. Bounded by what the worker has claimed, because every outcome belongs
to a claim; kept until the store has answered, whatever becomes of the store meanwhile."""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace

from taskkitx.errors import StoreRefused
from taskkitx.outcome import Failed, Fault, Outcome, Retried


class Outbox:
    """Threads add; the claiming thread takes a batch and settles it."""

    def __init__(self) -> None:
        """Empty."""
        self._fresh: deque[Outcome] = deque()
        self._batch: list[Outcome] = []
        self.add = self._fresh.append

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._fresh or self._batch)

    def batch(self) -> list[Outcome]:
        """All that waits, oldest first; it goes on waiting until `settle`."""
        fresh, batch = self._fresh, self._batch
        while fresh:
            batch.append(fresh.popleft())
        return batch

    def settle(self) -> None:
        """The store has answered for the last batch."""
        self._batch = []


def finish_in_parts(
    finish: Callable[[list[Outcome]], Collection[str]], batch: list[Outcome]
) -> Collection[str]:
    """Write a batch that the store refused as a whole: halves, and halves of these, until the culprit stands alone.

    The culprit fails with the store's reason, unless only what its exception says is at fault. Raises
    StoreUnavailable, and StoreRefused for a refusal that is not about the data.
    """
    if len(batch) == 1:
        try:
            return finish(batch)
        except StoreRefused as error:
            return finish([_acceptable(batch[0], error)])
    middle = len(batch) // 2
    accepted: set[str] = set()
    for half in (batch[:middle], batch[middle:]):
        try:
            accepted.update(finish(half))
        except StoreRefused:
            accepted.update(finish_in_parts(finish, half))
    return accepted


def _acceptable(outcome: Outcome, error: StoreRefused) -> Outcome:
    """What every store takes in place of an outcome it refused."""
    if isinstance(outcome, Failed | Retried):
        fault = outcome.fault
        readable = Fault(*map(_escaped, (fault.kind, fault.message, fault.trace)))
        if readable != fault:
            return replace(outcome, fault=readable)
    return Failed(outcome.task, Fault("StoreRefused", f"its outcome cannot be stored: {error}"))


def _escaped(text: str) -> str:
    """Without NUL and lone surrogates, which some stores refuse."""
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
