"""What the store keeps of schedules, as JSON under names of schedulers: for each scheduler how far its entries have
come, and under a name of its own the catalogue of all entries, so that people can look at them without the application.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from taskkitx.errors import StoreRefused
from taskkitx.schedule import ScheduleEntry
from taskkitx.task import UniqueUntil

CATALOGUE = "\x1btaskkitx catalogue"
"""No scheduler can be called that, because it is not printable."""
VERSION = 1


class Coming(NamedTuple):
    """A coming instant, and the seconds its zone is ahead of UTC then."""

    instant: float
    offset: float


@dataclass(frozen=True, slots=True)
class Record:
    """How far one entry has come. Times are UNIX seconds by the store's clock."""

    since: float
    """Up to when instants have been looked for."""
    fired: float | None = None
    """The instant that was fired last."""
    paused: bool = False
    gone: float | None = None
    """Since when a scheduler runs that does not know it."""
    upcoming: Sequence[Coming] = ()


@dataclass(frozen=True, slots=True)
class State:
    """How far the entries of one scheduler have come, by key."""

    records: Mapping[str, Record] = field(default_factory=dict[str, Record])

    @classmethod
    def read(cls, written: bytes | None) -> "State":
        """What `written` made. Raises StoreRefused for what another version of taskkitx wrote."""
        entries = _read(written, "entries")
        return cls({key: _record(**fields) for key, fields in entries.items()})

    def written(self) -> bytes:
        """The state as the store keeps it."""
        return _written("entries", {key: asdict(record) for key, record in self.records.items()})


def _record(upcoming: Sequence[Sequence[float]], **fields: Any) -> Record:
    return Record(**fields, upcoming=tuple(Coming(*one) for one in upcoming))


@dataclass(frozen=True, slots=True)
class Definition:
    """What an entry says, as far as a store can keep it."""

    schedule: str
    zone: str
    group: str
    name: str
    data: str
    """In base64."""
    result_ttl: float | None
    missed: str
    look_back: float | None
    overlap: str
    gap: str
    fold: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, entry: ScheduleEntry, default_zone: tzinfo) -> "Definition":
        """The entry's definition."""
        zone = entry.zone(default_zone)
        return cls(
            schedule=str(entry.schedule),
            zone=getattr(zone, "key", None) or str(zone),
            group=entry.group,
            name=entry.name,
            data=base64.b64encode(entry.data).decode(),
            result_ttl=entry.result_ttl,
            missed=str(entry.missed_policy),
            look_back=entry.look_back,
            overlap=entry.overlap,
            gap=entry.gap,
            fold=entry.fold,
            options=json.loads(json.dumps(dict(entry.options), default=dict)),
        )

    def entry(self, key: str) -> ScheduleEntry:
        """An entry that makes the same tasks, but does not know its schedule."""
        options = dict(self.options)
        if "unique_until" in options:
            options["unique_until"] = UniqueUntil(options["unique_until"])
        return ScheduleEntry(
            key,
            _Elsewhere(),
            self.group,
            self.name,
            base64.b64decode(self.data),
            self.result_ttl,
            overlap=self.overlap,  # type: ignore[arg-type]  # one of its words, and checked again
            options=options,
        )


class _Elsewhere:
    """Stands for a schedule that only the application knows."""

    def next_after(self, instant: float, zone: tzinfo) -> float | None:
        return None


Catalogue = dict[str, dict[str, Definition]]
"""By scheduler, then by key."""


def read_catalogue(written: bytes | None) -> Catalogue:
    """All entries that a store knows."""
    return {
        scheduler: {key: Definition(**definition) for key, definition in entries.items()}
        for scheduler, entries in _read(written, "schedulers").items()
    }


def written_catalogue(catalogue: Catalogue) -> bytes:
    """The catalogue as the store keeps it."""
    return _written(
        "schedulers",
        {
            scheduler: {key: asdict(definition) for key, definition in entries.items()}
            for scheduler, entries in sorted(catalogue.items())
        },
    )


def coming(instant: float, zone: tzinfo) -> Coming:
    """The instant with its zone's offset."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    return Coming(instant, 0.0 if offset is None else offset.total_seconds())


def _read(written: bytes | None, what: str) -> dict[str, Any]:
    if written is None:
        return {}
    kept: dict[str, Any] = json.loads(written)
    if kept.get("version") != VERSION:
        raise StoreRefused(
            f"the store's schedules were written by another version of taskkitx (format {kept.get('version')!r}, "
            f"this one knows {VERSION}): run the same version everywhere"
        )
    found: dict[str, Any] = kept[what]
    return found


def _written(what: str, value: Mapping[str, Any]) -> bytes:
    return json.dumps({"version": VERSION, what: value}, separators=(",", ":")).encode()
