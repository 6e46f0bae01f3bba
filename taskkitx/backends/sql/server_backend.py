"""The port on a database server: what Postgres and MySQL share beyond their statements. Connections come from a pool,
and a verb whose connection broke is run again on another."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from taskkitx.backends.sql import cycle, server_schema
from taskkitx.backends.sql.backend import SqlBackend
from taskkitx.backends.sql.foreseen import Foreseen
from taskkitx.backends.sql.schema_names import Naming
from taskkitx.backends.sql.server import Driver, Pool
from taskkitx.backends.sql.session import Session, first
from taskkitx.backends.sql.store import Answer, Work
from taskkitx.clock import Clock
from taskkitx.errors import ConfigurationError, StoreError
from taskkitx.outcome import Succeeded
from taskkitx.record import Put
from taskkitx.task import Task
from taskkitx.wakeup import LocalHints

PATIENCE = 5.0


class Exchange(NamedTuple):
    """What one exchange came to."""

    written: int
    """How many outcomes."""
    claims: list[Task]
    """In order."""
    due_in: float | None = None
    """Seconds until the next scheduled task of these groups is due."""


class Address(Protocol):
    """A store's URL, understood."""

    @property
    def url(self) -> str:
        """As it was given."""
        ...

    @property
    def naming(self) -> Naming:
        """What the tables are called."""
        ...

    @property
    def pool(self) -> int:
        """Connections of one process."""
        ...

    @property
    def hints_directory(self) -> str:
        """Where the processes of this machine that use this store wake each other."""
        ...


class Transactional(Protocol):
    """A connection that is in a transaction only when it is told to be."""

    def transaction(self) -> AbstractContextManager[object]:
        """A transaction around a block."""
        ...


Connection = TypeVar("Connection", bound=Transactional)


class ServerBackend(SqlBackend, Generic[Connection]):
    """The verbs on a pool of connections; a dialect brings the session, the exchange and the schema's version."""

    event_poll = 5.0

    def __init__(
        self, address: Address, driver: Driver[Connection], clock: Clock | None, patience: float
    ) -> None:
        """`clock` is for tests. `patience`: seconds a verb that a person waits for may take."""
        super().__init__(LocalHints(address.hints_directory))
        self.naming = address.naming
        self._url = address.url
        self._where = driver.where
        self._clock = clock
        self._pool = Pool[Connection](driver, address.pool, patience)
        self._prepared = False
        self._foreseen: Foreseen | None = None

    # What a dialect brings

    clock_expression: str
    """The server's clock in its SQL, in UNIX seconds."""

    @abstractmethod
    def _session(self, connection: Connection, again: bool) -> Session:
        """`again`: what is asked may have been done before, by a connection that broke."""

    @abstractmethod
    def _exchange(
        self,
        connection: Connection,
        worker_id: str,
        outcomes: Sequence[Succeeded],
        wanted: Mapping[str, int],
        seq: int,
    ) -> Exchange:
        """Write simple outcomes, which are sorted by id, and claim."""

    @abstractmethod
    def _version(self) -> str | None:
        """The schema's revision; None where there are no tables."""

    @abstractmethod
    def _why_never(self, cause: BaseException | None) -> ConfigurationError | None:
        """What somebody has to change before this server can be used, if that is what its error says."""

    @abstractmethod
    def migrate(self) -> None:
        """Make the tables, or bring them up to this version. Raises ConfigurationError without the right to."""

    # Opening

    @property
    def url(self) -> str:
        return self._url

    def now(self) -> float:
        if self._clock is not None:
            return self._clock()
        return float(first(self.read(lambda s: s.rows(f"SELECT {self.clock_expression}"))))

    def open(self) -> None:
        if not self._prepared:
            self._first_use(lambda: server_schema.prepare(self._version, self.migrate, self._where))

    def open_existing(self) -> None:
        """As `open`, but nothing is created. Raises ConfigurationError when there are no tables."""
        self._first_use(lambda: server_schema.check(self._version(), self._where))

    def _first_use(self, look: Callable[[], None]) -> None:
        try:
            look()
        except StoreError as error:
            if never := self._why_never(error.__cause__):
                raise never from None
            raise
        self._prepared = True

    def close(self) -> None:
        self._prepared = False
        self.hints.close()
        self._pool.close()

    # Working

    def write(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        self.open()

        def transaction(connection: Connection, again: bool) -> Answer:
            with connection.transaction():
                return work(self._session(connection, again))

        return self._pool.run(transaction, patient=durable)

    def once(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        self.open()
        return self._pool.run(
            lambda connection, again: work(self._session(connection, again)), patient=durable
        )

    def read(self, work: Work[Answer]) -> Answer:
        return self.once(work)

    def put(self, tasks: Sequence[Task], *, connection: Any = None) -> list[Put]:
        if connection is None:
            return super().put(tasks)
        try:
            return super().put(tasks, connection=connection)
        except self._pool.driver.errors as error:
            raise self._pool.driver.translated(error) from error

    def _hot(
        self, worker_id: str, outcomes: Sequence[Succeeded], wanted: Mapping[str, int], seq: int
    ) -> tuple[set[str], list[Task]]:
        self.open()
        outcomes = sorted(outcomes, key=lambda outcome: outcome.task.id)

        def exchange(connection: Connection, again: bool) -> Exchange:
            if again:
                claims = cycle.claimed(self._session(connection, again), worker_id, seq)
                if claims:  # it was done: only the reply was lost
                    return Exchange(-1, claims)
            return self._exchange(connection, worker_id, outcomes, wanted, seq)

        written, claims, due = self._pool.run(exchange)
        self._foreseen = Foreseen.now(wanted, due)
        if written == len(outcomes):
            return {outcome.task.id for outcome in outcomes}, claims
        tasks = [outcome.task for outcome in outcomes]
        return self.read(lambda s: cycle.finished_before(s, worker_id, tasks)), claims

    def next_due(self, groups: Collection[str]) -> float | None:
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and foreseen.answers(groups) and self._clock is None:
            return foreseen.due
        return super().next_due(groups)

    def persist(self) -> None:
        """Nothing to do: a commit that the server confirmed is on its disk, unless its owner decided otherwise."""
