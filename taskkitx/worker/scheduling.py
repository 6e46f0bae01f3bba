"""Puts the tasks of schedule entries: any number of schedulers race, and compare-and-set of the state in the store
decides, together with the tasks, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from taskkitx import clock, log
from taskkitx.backend import Backend
from taskkitx.errors import StoreRefused
from taskkitx.localtime import MachineZone, zone_of
from taskkitx.schedule import (
    ScheduleEntriesCompatMapping,
    ScheduleEntry,
    check_key,
    checked_entries,
)
from taskkitx.task import Task
from taskkitx.worker.attempt import Handler
from taskkitx.worker.schedule_state import (
    CATALOGUE,
    Coming,
    Definition,
    Record,
    State,
    coming,
    read_catalogue,
    written_catalogue,
)
from taskkitx.worker.services import Service

LONGEST_WAIT = 1.0
"""Seconds until the store is looked at again: a clock may step, a person may resume an entry."""
TOUCH_INTERVAL = 60.0
"""Seconds after which it is written down up to when instants were looked for: an edit then has next to no past."""
FORGET_AFTER = 60.0
"""Seconds for which an entry is kept that a scheduler does not know: another of an older or newer version may."""
MOST_CLOCK_STEP = 24 * 3600.0
"""A clock set back by more was wrong before: instants it had reached may come again."""
AHEAD = 3
"""How many coming instants are told to people."""

_fired = log.Event("debug", "schedule_fired", "schedule {key} of {scheduler}: {count} tasks put")
_failed = log.Event(
    "error", "schedule_failed", "schedule {key} of {scheduler} is left out: {error}", ("key",)
)
_clock_set_back = log.Event(
    "warning",
    "clock_set_back",
    "schedule {key} of {scheduler} was looked at {seconds} s from now: it goes on as a new one",
    ("scheduler",),
)


@dataclass
class Course:
    """One entry in its scheduler, with its coming instants remembered as long as none of them has passed."""

    scheduler: str
    entry: ScheduleEntry
    zone: tzinfo
    _from: float = field(default=float("inf"), init=False)
    _ahead: tuple[Coming, ...] = field(default=(), init=False)

    def ahead(self, instant: float) -> tuple[Coming, ...]:
        """The next instants after this one, at most three."""
        passed = self._ahead and self._ahead[0].instant <= instant
        if passed or instant < self._from:
            self._from, self._ahead = instant, self._next(instant)
        return self._ahead

    def _next(self, instant: float) -> tuple[Coming, ...]:
        found: list[Coming] = []
        zone = self.entry.zone(self.zone)
        point = self.entry.next_after(instant, self.zone)
        while point is not None and len(found) < AHEAD:
            found.append(coming(point, zone))
            point = self.entry.next_after(point, self.zone)
        return tuple(found)

    def step(self, record: Record | None, now: float) -> tuple[Record, list[Task]]:
        """What is due, and what to remember. A new entry has no past; a paused one lets its instants pass."""
        if record is None or _is_forgotten(record, now):
            return Record(since=now, upcoming=self.ahead(now)), []
        since = record.since
        if since > now + MOST_CLOCK_STEP:
            _clock_set_back(self.scheduler, key=self.entry.key, seconds=round(since - now))
            since = now
        ahead = self.ahead(since)
        points: list[float] = []
        if not record.paused and ahead and ahead[0].instant <= now:
            points = self.entry.due(since, now, record.fired, self.zone)
        since = max(since, now)
        fired = points[-1] if points else record.fired
        seen = replace(record, since=since, fired=fired, gone=None, upcoming=self.ahead(since))
        return seen, [self.entry.task(point, self.scheduler) for point in points]


def _is_forgotten(record: Record, now: float) -> bool:
    return record.gone is not None and now - record.gone > FORGET_AFTER


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look at the clock came to."""

    state: State
    due: Mapping[str, list[Task]]
    """Tasks to put, by the key of their entry."""
    next_at: float
    """The next instant of any entry."""
    urgent: bool
    """Whether the state must be written; otherwise all that changed is how far we looked."""


def plan(courses: Sequence[Course], state: State, now: float) -> Plan:
    """What is due. An entry that fails is left out, so that the others go on."""
    records: dict[str, Record] = {}
    left_out: dict[str, Record] = {}
    due: dict[str, list[Task]] = {}
    for course in courses:
        key, before = course.entry.key, state.records.get(course.entry.key)
        try:
            records[key], tasks = course.step(before, now)
        except Exception as error:  # noqa: BLE001  # a schedule may be the application's code
            _failed(course.scheduler, key=key, error=log.one_line(error))
            if before is not None:
                left_out[key] = before
            continue
        if tasks:
            due[key] = tasks
    next_at = min(
        (record.upcoming[0].instant for record in records.values() if record.upcoming),
        default=float("inf"),
    )
    records |= left_out | _unknown_here(state, {course.entry.key for course in courses}, now)
    return Plan(State(records), due, next_at, bool(due) or _is_urgent(state, records))


def _is_urgent(state: State, records: Mapping[str, Record]) -> bool:
    return records.keys() != state.records.keys() or any(
        _has_news(state.records[key], record) for key, record in records.items()
    )


def _has_news(before: Record, after: Record) -> bool:
    """An instant has passed, an entry has come back or is another one; a paused one only lets time go by."""
    if abs(after.since - before.since) >= TOUCH_INTERVAL or after.gone != before.gone:
        return True
    return not after.paused and after.upcoming != before.upcoming


def _unknown_here(state: State, known: set[str], now: float) -> dict[str, Record]:
    """Entries of an older or newer version of the application; removed ones are forgotten after a while."""
    return {
        key: replace(record, gone=now) if record.gone is None else record
        for key, record in state.records.items()
        if key not in known and not _is_forgotten(record, now)
    }


class Scheduler:
    """A service that puts what is due and says when it wants to be called again."""

    def __init__(
        self, backend: Backend, name: str, entries: Sequence[ScheduleEntry], zone: tzinfo
    ) -> None:
        """Reaches for nothing yet. Raises InvalidSchedule for a name that no scheduler can have."""
        check_key("scheduler", name)
        self.name = name
        self._backend = backend
        self._courses = [Course(name, entry, zone) for entry in entries]
        self._definitions = {entry.key: Definition.of(entry, zone) for entry in entries}
        self._listed = False
        self._seen: bytes | None = None
        """The state at the last look, from `_looked` on; nothing is to be done before `_next_at`."""
        self._looked = float("inf")
        self._next_at = 0.0

    def __call__(self) -> float:
        """Put what is due; returns the seconds until something will be, at most one."""
        if not self._listed:
            self._listed = self._list()
        written = self._backend.scheduler_state(self.name)
        now, asked = self._backend.now(), clock.monotonic()
        quiet = self._looked <= now < min(self._next_at, self._looked + TOUCH_INTERVAL)
        if not quiet or written is None or written != self._seen:
            state = State.read(written)
            planned = plan(self._courses, state, now)
            if planned.urgent and not self._write(written, state, planned):
                return 0.0  # another scheduler was faster: look at what it left
            self._seen = planned.state.written() if planned.urgent else written
            self._looked, self._next_at = now, planned.next_at
        return min(LONGEST_WAIT, max(0.0, self._next_at - now - (clock.monotonic() - asked)))

    def _write(self, written: bytes | None, state: State, planned: Plan) -> bool:
        """Fire everything at once; where the store refuses that, each entry by itself. False: another was faster."""
        tasks = [task for due in planned.due.values() for task in due]
        try:
            fired = self._backend.fire(self.name, written, planned.state.written(), tasks)
        except StoreRefused:
            if not tasks:
                raise
            return self._write_one_by_one(written, state, planned)
        if fired:
            for key, due in planned.due.items():
                _fired(self.name, key=key, count=len(due))
        return fired

    def _write_one_by_one(self, written: bytes | None, state: State, planned: Plan) -> bool:
        """The instants of entries whose tasks the store refuses pass, so that the others go on."""
        for key, due in planned.due.items():
            state = State({**state.records, key: planned.state.records[key]})
            tasks = due
            while True:
                try:
                    if not self._backend.fire(self.name, written, state.written(), tasks):
                        return False
                    break
                except StoreRefused as error:
                    if not tasks:
                        raise
                    _failed(self.name, key=key, error=log.one_line(error))
                    tasks = []
            written = state.written()
        return self._backend.fire(self.name, written, planned.state.written(), [])

    def _list(self) -> bool:
        """Make the entries known to people who look at the store; False when somebody else wrote meanwhile."""
        written = self._backend.scheduler_state(CATALOGUE)
        catalogue = read_catalogue(written)
        if catalogue.get(self.name) == self._definitions:
            return True
        catalogue[self.name] = self._definitions
        return self._backend.fire(CATALOGUE, written, written_catalogue(catalogue), [])


def scheduler_services(
    backend: Backend,
    handler: Handler,
    schedule_entries: ScheduleEntriesCompatMapping,
    tzinfo: tzinfo | str | None,
) -> dict[str, Service]:
    """A service for each scheduler. Raises InvalidSchedule, and what the handler's `encode_data` raises."""
    zone = zone_of("tzinfo", tzinfo) or MachineZone()
    return {
        name: Scheduler(backend, name, entries, zone)
        for name, entries in checked_entries(schedule_entries, handler).items()
    }
