"""When a function that failed is run again: so many times, ever later, and not for every exception."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from taskkitx.errors import ConfigurationError, DecodeError, Retry

MAX_BACKOFF = 3600.0
"""Seconds; exponential back-off grows no further."""

Backoff = float | Callable[[int], float]
Exceptions = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """A function's rule. Raises ConfigurationError naming option and value."""

    max_retries: int = 3
    """How often a task is run again after its first attempt failed."""
    backoff: Backoff = 1.0
    """Seconds before the first retry, doubled for each further one; or a function of the number of retries so far."""
    jitter: float = 0.5
    """The part of the interval, from 0 to 1, that is left to chance, so that what failed together spreads out."""
    retry_on: Exceptions | None = None
    """Only these exceptions are worth a retry; None: all."""
    dont_retry_on: Exceptions = ()
    """These are not, even if they are among the former."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if isinstance(self.max_retries, bool) or not isinstance(self.max_retries, int):
            raise ConfigurationError(f"max_retries is {self.max_retries!r}: it is a whole number")
        if self.max_retries < 0:
            raise ConfigurationError(f"max_retries is {self.max_retries}: 0 means never again")
        if not callable(self.backoff) and not 0 <= self.backoff < float("inf"):
            raise ConfigurationError(f"retry_backoff is {self.backoff!r}: it is seconds >= 0")
        if not 0 <= self.jitter <= 1:
            raise ConfigurationError(
                f"retry_jitter is {self.jitter!r}: it is a part, from 0 to 1, of the interval"
            )
        for name in ("retry_on", "dont_retry_on"):
            value = getattr(self, name)
            if value is not None and not _are_exceptions(value):
                raise ConfigurationError(
                    f"{name} is {value!r}: it is an exception class or a tuple of them"
                )

    def interval(self, retry_count: int, error: BaseException) -> float | None:
        """Seconds until the next attempt; None: the task has failed."""
        if retry_count >= self.max_retries or isinstance(error, UnreadableArguments):
            return None
        if isinstance(error, Retry):
            return self._backed_off(retry_count) if error.after is None else error.after
        if isinstance(error, self.dont_retry_on):
            return None
        if self.retry_on is not None and not isinstance(error, self.retry_on):
            return None
        return self._backed_off(retry_count)

    def _backed_off(self, retry_count: int) -> float:
        if callable(self.backoff):
            interval = self.backoff(retry_count)
        else:
            interval = min(MAX_BACKOFF, self.backoff * 2.0 ** min(retry_count, 64))
        return interval * (1.0 - self.jitter * random.random())


def _are_exceptions(value: object) -> bool:
    kinds = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in kinds)


class UnreadableArguments(DecodeError):
    """The arguments of a task cannot be decoded: nothing was run, and another attempt would not help."""
