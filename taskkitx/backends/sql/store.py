"""What a dialect brings to the port: its connections, its transactions, and the statements of the hot path."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from taskkitx.backends.sql.schema_names import Naming
from taskkitx.backends.sql.session import Session
from taskkitx.outcome import Succeeded
from taskkitx.record import Put
from taskkitx.task import Task
from taskkitx.wakeup import LocalHints

Answer = TypeVar("Answer")
Work = Callable[[Session], Answer]


class SqlStore(ABC):
    """A database of one dialect."""

    event_poll = 1.0
    """Seconds between two looks for control events whose hint was lost, or that another host sent."""

    dialect: str
    """The engine's name in SQLAlchemy."""
    naming = Naming()
    """What the tables are called."""

    def __init__(self, hints: LocalHints) -> None:
        """`hints` connect the processes of this machine."""
        self.hints = hints

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def now(self) -> float: ...

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def write(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        """Run `work` in a transaction. `durable`: a person or program waits for this write and relies on it."""

    @abstractmethod
    def once(self, work: Work[Answer], *, durable: bool = False) -> Answer:
        """As `write`, for work that calls its session once: it may commit by itself."""

    @abstractmethod
    def read(self, work: Work[Answer]) -> Answer:
        """Run `work`, which only reads."""

    @abstractmethod
    def _put(self, tasks: Sequence[Task]) -> list[Put]:
        """Put tasks durably, the way the store does that fastest."""

    @abstractmethod
    def _joined(self, connection: Any) -> Session:
        """A session on the caller's own connection, inside its transaction. Raises ConfigurationError."""

    @abstractmethod
    def _hot(
        self, worker_id: str, outcomes: Sequence[Succeeded], wanted: Mapping[str, int], seq: int
    ) -> tuple[set[str], list[Task]]:
        """Write simple outcomes and claim, promoting what is due first: the accepted ids, and the claims in order."""

    def _tell_work(self, groups: Collection[str]) -> None:
        """These groups may have work."""
        self.hints.work(groups)

    def ddl(self) -> str:
        """The statements of all revisions of the schema, for people who apply them themselves."""
        from taskkitx.backends.sql.migrate import statements

        return statements(self.dialect, self.naming)
