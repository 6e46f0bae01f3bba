"""What can be said about a function when it is made a task, and about a single call; all checked when it is said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict

from taskkitx import clock
from taskkitx.app.retry import Backoff, Exceptions, RetryRule
from taskkitx.codec import Codec
from taskkitx.errors import ConfigurationError, InvalidTask
from taskkitx.handler import NO_LIMITS, Limits
from taskkitx.ids import check_group
from taskkitx.task import MAX_PRIORITY, UniqueUntil

Conflict = Literal["return", "raise", "replace"]
Delivery = Literal["at_least_once", "at_most_once"]
Seconds = float | timedelta

_CONFLICTS = ("return", "raise", "replace")
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """One task at a time for the same arguments (or the same `key` of them).

    `until` says for how long a task stands in the way of another one: "queued" (while it waits), "started" (until its
    first attempt), "done" (until it has finished), "window" (for `window` seconds since it was put). `conflict` says
    what the second call comes to: it gets the standing task's result ("return"), it raises DuplicateTask ("raise"),
    or the standing task is cancelled and replaced ("replace"; one that has begun cannot be: DuplicateTask).
    """

    until: UniqueUntil | Literal["queued", "started", "done", "window"] = UniqueUntil.DONE
    window: Seconds | None = None
    key: Callable[..., str] | None = None
    """From the call's arguments to what makes it the same; default: all of the arguments."""
    conflict: Conflict = "return"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.until not in tuple(UniqueUntil):
            raise ConfigurationError(
                f"unique until {self.until!r}: it is one of {', '.join(UniqueUntil)}"
            )
        if (self.until == UniqueUntil.WINDOW) is (self.window is None):
            raise ConfigurationError(
                f"unique until {str(self.until)!r} with window={self.window!r}: "
                'until="window" takes window=SECONDS, and nothing else does'
            )
        check_conflict(self.conflict)


UniqueOption = Unique | UniqueUntil | Literal["queued", "started", "done"] | Seconds | bool | None


def as_unique(option: UniqueOption) -> Unique | None:
    """The rule behind the short forms: True (until done), the name of a mode, or the seconds of a window."""
    match option:
        case None | False:
            return None
        case True:
            return Unique()
        case Unique():
            return option
        case str():
            return Unique(until=option)
        case _:
            return Unique(until=UniqueUntil.WINDOW, window=option)


Refusal = type[ConfigurationError] | type[InvalidTask]
"""What a wrong value raises: said of a function the former, of a call the latter."""


def check_conflict(conflict: str, refusal: Refusal = ConfigurationError) -> None:
    """Raises `refusal` for a word that is none."""
    if conflict not in _CONFLICTS:
        raise refusal(f"conflict is {conflict!r}: it is one of {', '.join(_CONFLICTS)}")


def as_seconds(
    name: str, value: Seconds | None, refusal: Refusal = ConfigurationError
) -> float | None:
    """A duration in seconds; raises `refusal` where it is none."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e12:
        raise refusal(f"{name} is {value!r}: it is seconds >= 0, or a timedelta")
    return float(seconds)


def check_priority(priority: int) -> int:
    """The priority itself; raises ConfigurationError."""
    whole = isinstance(priority, int) and not isinstance(priority, bool)
    if not whole or abs(priority) > MAX_PRIORITY:
        raise ConfigurationError(f"priority is {priority!r}: it is a whole number, higher first")
    return priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a function's tasks have in common."""

    group: str
    priority: int
    ttl: float
    """Seconds a finished task is kept."""
    codec: Codec
    retry: RetryRule = field(default_factory=RetryRule)
    limits: Limits = field(default_factory=Limits)
    expires: float | None = None
    """Seconds within which a task must be started."""
    unique: Unique | None = None

    def __post_init__(self) -> None:
        """Refuse combinations that contradict each other."""
        if self.limits.at_most_once and self.retry.max_retries:
            raise ConfigurationError(
                f'delivery="at_most_once" with max_retries={self.retry.max_retries}: '
                "a task that must never run twice cannot be retried"
            )
        soft, hard = self.limits.soft_timeout, self.limits.timeout
        if soft and hard and soft >= hard:
            raise ConfigurationError(
                f"soft_timeout={soft:g} with timeout={hard:g}: the soft limit comes first"
            )


class CallOptions(TypedDict, total=False):
    """What can be said about a single call. Everything left out is as the function says.

    `delay` (from the store's now) or `due` (a moment) postpone it. `unique_key` makes it unique until done, or as the
    function's `unique` says. `connection`: the task is part of that transaction. `headers` travel along.
    """

    delay: Seconds | None
    due: datetime | float | None
    priority: int | None
    group: str | None
    unique_key: str | None
    conflict: Conflict | None
    headers: Mapping[str, str] | None
    connection: Any
    expires: Seconds | None
    timeout: Seconds | None
    ttl: Seconds | None


KNOWN_OPTIONS = frozenset(CallOptions.__annotations__)


def check_call_options(options: Mapping[str, Any]) -> None:
    """Raises InvalidTask for an option that does not exist, naming it, and for two that contradict each other."""
    unknown = options.keys() - KNOWN_OPTIONS
    if unknown:
        raise InvalidTask(
            f"there is no option {min(unknown)!r} for a call: known are {', '.join(sorted(KNOWN_OPTIONS))}"
        )
    if options.get("delay") is not None and options.get("due") is not None:
        raise InvalidTask("delay and due are both given: one of them says when")
    conflict = options.get("conflict")
    if conflict is not None:
        check_conflict(conflict, InvalidTask)
    headers: Mapping[object, object] | None = options.get("headers")
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidTask(
                f"the header {name!r} is {value!r}: names and values of headers are str"
            )


def seconds_until(moment: datetime | Seconds | None) -> Seconds | None:
    """A duration from now on, where a moment may be given as Celery takes it."""
    return max(0.0, moment.timestamp() - clock.now()) if isinstance(moment, datetime) else moment


class TaskOptions(TypedDict, total=False):
    """What can be said about a function. Durations are seconds or timedeltas.

    `group` (or `queue`, its name elsewhere): the lane. `max_retries`, `retry_backoff`, `retry_jitter`, `retry_on`,
    `dont_retry_on`: see RetryRule. `soft_timeout`: SoftTimeLimit is raised inside the function; `timeout`: the attempt
    has failed and its process is replaced. `ttl`: how long a finished task is kept; `expires`: how soon it must be
    started. `unique`: see Unique. `delivery="at_most_once"`: never run a second time once an attempt may have begun.
    `interrupt_on_cancel`: raise CancelRequested inside the function instead of waiting until it asks. `max_crashes`,
    `on_crash`: what becomes of a task that kills its process.
    """

    group: str
    queue: str
    priority: int
    max_retries: int
    retry_backoff: Backoff
    retry_jitter: float
    retry_on: Exceptions | None
    dont_retry_on: Exceptions
    timeout: Seconds | None
    soft_timeout: Seconds | None
    ttl: Seconds
    expires: Seconds | None
    unique: UniqueOption
    delivery: Delivery
    codec: str | Codec
    middleware: Sequence[object]
    interrupt_on_cancel: bool
    max_crashes: int
    on_crash: Literal["retry", "fail"]


def make_options(
    given: TaskOptions, defaults: Options, codec_of: Callable[[str | Codec], Codec]
) -> Options:
    """A function's options over its queue's defaults. Raises ConfigurationError naming option and value."""
    unknown = given.keys() - TaskOptions.__annotations__.keys()
    if unknown:
        raise ConfigurationError(
            f"there is no option {min(unknown)!r} for a task: known are "
            f"{', '.join(sorted(TaskOptions.__annotations__))}"
        )
    if "group" in given and "queue" in given:
        raise ConfigurationError("group and queue are both given: they are two words for one thing")
    once = _at_most_once(given.get("delivery", "at_least_once"))
    ttl = as_seconds("ttl", given.get("ttl"))
    return Options(
        group=_group(given.get("group", given.get("queue", defaults.group))),
        priority=check_priority(given.get("priority", defaults.priority)),
        ttl=defaults.ttl if ttl is None else ttl,
        codec=codec_of(given["codec"]) if "codec" in given else defaults.codec,
        retry=RetryRule(
            max_retries=given.get("max_retries", 0 if once else defaults.retry.max_retries),
            backoff=given.get("retry_backoff", defaults.retry.backoff),
            jitter=given.get("retry_jitter", defaults.retry.jitter),
            retry_on=given.get("retry_on"),
            dont_retry_on=given.get("dont_retry_on", ()),
        ),
        limits=_limits(given, defaults.limits, once),
        expires=as_seconds("expires", given.get("expires")),
        unique=as_unique(given.get("unique")),
    )


def _group(group: str) -> str:
    try:
        return check_group(group)
    except InvalidTask as error:
        raise ConfigurationError(str(error)) from None


def _at_most_once(delivery: str) -> bool:
    if delivery not in ("at_least_once", "at_most_once"):
        raise ConfigurationError(
            f"delivery is {delivery!r}: it is at_least_once (the default) or at_most_once"
        )
    return delivery == "at_most_once"


def _limits(given: TaskOptions, defaults: Limits, once: bool) -> Limits:
    on_crash = given.get("on_crash", defaults.on_crash)
    if on_crash not in ("retry", "fail"):
        raise ConfigurationError(f"on_crash is {on_crash!r}: it is retry or fail")
    max_crashes = given.get("max_crashes", defaults.max_crashes)
    if isinstance(max_crashes, bool) or not isinstance(max_crashes, int) or max_crashes < 1:
        raise ConfigurationError(f"max_crashes is {max_crashes!r}: it is a whole number >= 1")
    limits = Limits(
        soft_timeout=as_seconds("soft_timeout", given.get("soft_timeout")) or None,
        timeout=as_seconds("timeout", given.get("timeout", defaults.timeout)) or None,
        max_crashes=max_crashes,
        on_crash=on_crash,
        at_most_once=once,
        interrupt_on_cancel=given.get("interrupt_on_cancel", False),
    )
    return NO_LIMITS if limits == NO_LIMITS else limits
