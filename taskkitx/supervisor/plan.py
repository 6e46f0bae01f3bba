"""What to run, as pure data, checked before anything is forked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from taskkitx.errors import ConfigurationError, InvalidTask
from taskkitx.ids import check_group
from taskkitx.worker.slots import MAX_THREADS

MAX_PROCESSES = 128


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many worker processes, with how many threads per group, under which name.

    Raises ConfigurationError, naming the value, when it cannot be carried out.
    """

    processes: int
    groups: Mapping[str, int]
    """Threads per group, in each process."""
    groups_by_app: bool = False
    """Whether the application's own groups, where it has any, take the place of these."""
    instance: str = ""
    """A name that only one supervisor of this machine may carry at a time; empty: nobody is refused."""
    helper_services: bool = True
    """Whether this tree also cares for the whole store: other hosts' dead workers, retention, schedules."""
    owns_process: bool = False
    """Whether the process is ours (the command line): it is titled, adopts orphans and reaps every child. Under
    `kit.start` it is the caller's, with children we know nothing of."""
    strict_fork: bool = False
    """Refuse to start while other Python threads are alive, instead of warning."""
    reload: tuple[str, ...] = ()
    """For development: folders whose Python files are watched; a change replaces the workers one by one."""
    require_store: bool = False
    """End with exit code 75 when the store cannot be reached at the first start, instead of waiting for it."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        _check_count("number of processes", self.processes)
        if self.processes > MAX_PROCESSES:
            raise ConfigurationError(
                f"the number of processes is {self.processes}: one supervisor runs at most {MAX_PROCESSES}"
            )
        check_groups(self.groups)
        if "/" in self.instance or not self.instance.isprintable():
            raise ConfigurationError(
                f"the instance name {self.instance!r} must be printable and hold no slash: it names a file"
            )

    def for_app(self, groups: Mapping[str, int] | None) -> "Plan":
        """The plan for an application that wants these groups. Raises ConfigurationError when they cannot be run."""
        return replace(self, groups=groups) if self.groups_by_app and groups else self

    @property
    def regions(self) -> int:
        """Places in the slot table: each worker and its replacement, the solo lane, and some for the dead whose
        tasks are not restored yet."""
        return max(16, 2 * (self.processes + 2) + 4)

    @property
    def max_processes(self) -> int:
        """How far TTIN may raise the number of processes."""
        return self.regions - 4


def check_groups(groups: Mapping[str, int]) -> None:
    """Raises ConfigurationError when a worker could not run these groups, naming the culprit."""
    if not groups:
        raise ConfigurationError("no group to work for: name at least one group and its threads")
    for group, threads in groups.items():
        try:
            check_group(group)
        except InvalidTask as error:
            raise ConfigurationError(str(error)) from None
        _check_count(f"number of threads of the group {group!r}", threads)
    total = sum(groups.values())
    if total > MAX_THREADS:
        raise ConfigurationError(
            f"the groups have {total} threads in all: one process runs at most {MAX_THREADS}"
        )


def _check_count(what: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise ConfigurationError(f"the {what} is {count!r}: it must be a whole number")
    if count < 1:
        raise ConfigurationError(f"the {what} is {count}: it must be at least 1")


def describe_groups(groups: Mapping[str, int]) -> str:
    """The groups as people write them: `default=8 mail=2`."""
    return " ".join(f"{group}={threads}" for group, threads in groups.items())
