"""What can be tuned, in one frozen object. Every field can be set by `TASKKITX_<NAME>`; derived times are properties,
so that two of them can never contradict each other."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from taskkitx.errors import ConfigurationError
from taskkitx.journal import LEVELS

DEFAULT_URL = "sqlite:///taskkitx.db"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How workers and supervisors behave. Durations are seconds."""

    lease_ttl: float = 30.0
    """How long a worker is believed alive without a sign of life."""
    drain_timeout: float = 30.0
    """How long a stop waits for running tasks before it kills; 0 waits for ever."""
    boot_timeout: float = 60.0
    """How long a new process may take until it is ready."""
    hang_timeout: float = 120.0
    """How long a worker's main thread may be silent before its process is killed."""
    poll_interval: float = 1.0
    """The poll of last resort while nothing hints at work; an idle worker's grows to twice that."""
    reconcile_interval: float = 30.0
    """How often a worker asks the store which tasks it is said to own."""
    enqueue_timeout: float = 5.0
    """How long putting a task may wait for the store before it raises."""
    prefetch: int = 256
    """At most that many claimed but unstarted tasks per group and process; 0 keeps none."""
    max_result_bytes: int = 8 * 1024 * 1024
    """A larger encoded result fails its task."""
    max_tasks: int = 0
    """Replace a worker after that many tasks; 0: never. So for the next two."""
    max_age: float = 0.0
    max_rss: int = 0
    """Bytes."""
    condemn_grace: float = 30.0
    """How long the other tasks of a process that must go may take to finish."""
    codec_key: str = field(default="", repr=False)
    """What pickled tasks are signed with."""
    log_format: str = "text"
    """text or json"""
    log_level: str = "info"

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigurationError naming field and value."""
        if self.lease_ttl < 3:
            raise ConfigurationError(
                f"lease_ttl is {self.lease_ttl} s: below 3 s, ordinary delays look like death"
            )
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not 0 <= value < float("inf"):
                raise ConfigurationError(f"{each.name} is {value}: it is a finite number >= 0")
        if self.log_format not in ("text", "json"):
            raise ConfigurationError(f"log_format is {self.log_format!r}: it is text or json")
        if self.log_level not in LEVELS:
            raise ConfigurationError(f"log_level is {self.log_level!r}: one of {', '.join(LEVELS)}")
        if self.poll_interval <= 0:
            raise ConfigurationError("poll_interval is 0: without it a lost hint would lose a task")

    @property
    def beat(self) -> float:
        """How often leases are renewed: six chances within one lease."""
        return self.lease_ttl / 6

    @property
    def lease_margin(self) -> float:
        """How long before the end of its lease a worker stops starting tasks."""
        return min(5.0, self.lease_ttl / 3)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, **overrides: object
    ) -> "Settings":
        """Defaults, then `TASKKITX_*` variables, then `overrides` that are not None.

        Raises ConfigurationError when a variable is not of its field's type or out of range.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for each in fields(cls):
            text = environ.get(f"TASKKITX_{each.name.upper()}")
            if text is not None:
                default: object = getattr(cls, each.name)
                values[each.name] = _parse(each.name, type(default), text)
        values.update({name: value for name, value in overrides.items() if value is not None})
        return replace(cls(), **values)  # type: ignore[arg-type]  # _parse gives each field its own type


def _parse(name: str, kind: type, text: str) -> object:
    try:
        return kind(text)
    except ValueError:
        raise ConfigurationError(
            f"TASKKITX_{name.upper()} is {text!r}: it must be of type {kind.__name__}"
        ) from None


def default_url() -> str:
    """The store's URL when none is given: `TASKKITX_URL`, else a SQLite file in the working directory."""
    return os.environ.get("TASKKITX_URL") or DEFAULT_URL
