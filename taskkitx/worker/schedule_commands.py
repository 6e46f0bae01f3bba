"""What people do to schedule entries: look at them, pause and resume them, trigger them. Only the store is needed: what
an entry says is in its catalogue, how far it has come in its scheduler's state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from taskkitx.backend import Backend
from taskkitx.errors import NotFound
from taskkitx.localtime import MachineZone
from taskkitx.record import Put
from taskkitx.schedule import ScheduleEntry
from taskkitx.worker.schedule_state import CATALOGUE, Definition, Record, State, read_catalogue
from taskkitx.worker.scheduling import TOUCH_INTERVAL, Course


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry as the store, or an application at hand, knows it."""

    scheduler: str
    key: str
    definition: Definition
    record: Record

    def is_served(self, now: float) -> bool:
        """Whether a scheduler seems to look after it."""
        return abs(now - self.record.since) < 3 * TOUCH_INTERVAL


def list_entries(
    backend: Backend,
    own: Mapping[str, Sequence[ScheduleEntry]] | None = None,
    zone: tzinfo | None = None,
) -> list[Listed]:
    """The entries of every scheduler that ever ran on this store, and those of an application (`own`, in `zone`)."""
    found: dict[tuple[str, str], Listed] = {}
    for scheduler, definitions in read_catalogue(backend.scheduler_state(CATALOGUE)).items():
        records = State.read(backend.scheduler_state(scheduler)).records
        for key, definition in definitions.items():
            record = records.get(key)
            if record is not None and record.gone is None:
                found[scheduler, key] = Listed(scheduler, key, definition, record)
    now = backend.now()
    for scheduler, entries in (own or {}).items():
        records = State.read(backend.scheduler_state(scheduler)).records
        for entry in entries:
            course = Course(scheduler, entry, zone or MachineZone())
            record = replace(records.get(entry.key, Record(since=0.0)), upcoming=course.ahead(now))
            definition = Definition.of(entry, course.zone)
            found[scheduler, entry.key] = Listed(scheduler, entry.key, definition, record)
    return [found[name] for name in sorted(found)]


def find_entry(entries: Sequence[Listed], key: str, scheduler: str | None = None) -> Listed:
    """The entry of that key. Raises NotFound when there is none, or one in each of several schedulers."""
    found = [one for one in entries if one.key == key and scheduler in (None, one.scheduler)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.scheduler for one in found)
        raise NotFound(f"the key {key!r} is in several schedulers ({names}): name one of them")
    where = "" if scheduler is None else f" in the scheduler {scheduler!r}"
    there = ", ".join(f"{one.key} of {one.scheduler}" for one in entries) or "none"
    raise NotFound(f"no schedule entry has the key {key!r}{where}; there are: {there}")


def pause_entry(backend: Backend, entry: Listed, *, paused: bool) -> None:
    """From now on its instants pass without firing, or fire again; what passed meanwhile is not made up for."""
    while True:
        written = backend.scheduler_state(entry.scheduler)
        state = State.read(written)
        record = state.records.get(entry.key) or Record(since=0.0, paused=True)
        since = max(record.since, backend.now()) if record.paused else record.since
        records = {**state.records, entry.key: replace(record, paused=paused, since=since)}
        if backend.fire(entry.scheduler, written, State(records).written(), []):
            return


def trigger_entry(backend: Backend, entry: Listed) -> Put:
    """Put its task now, whatever its schedule says; its overlap policy holds, so an earlier task may stand instead."""
    made = entry.definition.entry(entry.key)
    return backend.put([made.task(None, entry.scheduler)])[0]
