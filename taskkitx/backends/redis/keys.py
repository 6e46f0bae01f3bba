"""Every key of a store in Redis.

All keys and channels begin with `{prefix}:`, by default `{taskkitx}:`. The braces are a hash tag: a store lives in one
slot of a cluster, so that a script may touch all of it. G is a group, W a worker's id, S a state's number; what may
hold any character comes last in a key or behind its length. No key ever expires by itself. Every task is a hash, a
member of `ids:G`, and a member of the one structure of its state.

    task:ID           hash    the task, a field per attribute that is not its default (`fields.py`)
    history:ID        list    attempts that did not succeed, 8 elements each, the last 100 (`fields.to_attempts`)

    queue:G           sorted  QUEUED: score rank (= -priority), member place (`lua/rows.lua`: due so that it sorts as
                              bytes, then the id); the first of it is the next to be claimed
    future:G          sorted  SCHEDULED: score due, member id
    solo:G            sorted  SOLO: as queue:G
    parked:LEN:G:NAME sorted  PARKED under this name: as queue:G; LEN is G's length in bytes
    parked-names:G    set     the names for which something is parked
    running:W         set     RUNNING: ids of what W owns
    ended:S:G         sorted  what has finished in this state: score when it may be purged, member id
    ids:G             sorted  every task: score 0, member id, so sorted by id
    groups            set     groups that have or had tasks

    unique            hash    unique key -> id of the task that it binds; the binding may have run out since
    leases            sorted  known workers: score when the lease ends, member id
    worker:W          hash    who the worker is: record (JSON), started, info (JSON)
    owners            set     workers that own or owned running tasks
    cancel:W          set     ids of W's tasks that somebody asked to cancel; stale ones are dropped when met
    paused            hash    "all" -> 1, "+G" -> 1 or 0: the last word on a group, where it is later than that on all
    schedulers        hash    scheduler -> its state
    events            stream  control events, the last thousand or so; field "e" is the JSON
    epoch             string  a random word, as old as the data (`leases.py`)
    version           string  which layout of keys this is

Channels, for hints only: `work` carries groups that may have work (one a line; nothing: any), `end:ID` the end of a
task.
"""

DEFAULT_PREFIX = "taskkitx"
VERSION = b"1"


class Keys:
    """The names of one store's keys, for what is not done by a script."""

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        """`prefix` tells this store from others in the same database."""
        self.base = f"{{{prefix}}}:"
        """What every key and channel begins with: the one key that scripts are given."""
        self.events = f"{self.base}events"
        self.groups = f"{self.base}groups"
        self.owners = f"{self.base}owners"
        self.schedulers = f"{self.base}schedulers"
        self.version = f"{self.base}version"
        self.work = f"{self.base}work"

    def task(self, task_id: str) -> str:
        """The task itself."""
        return f"{self.base}task:{task_id}"

    def history(self, task_id: str) -> str:
        """Its attempts."""
        return f"{self.base}history:{task_id}"

    def end(self, task_id: str) -> str:
        """The channel that tells of its end."""
        return f"{self.base}end:{task_id}"

    def of_group(self, what: str, group: str) -> str:
        """`queue`, `future`, `solo`, `ids` or `parked-names` of a group."""
        return f"{self.base}{what}:{group}"

    def parked(self, group: str, name: str) -> str:
        """What is parked under this name."""
        return f"{self.base}parked:{len(group.encode())}:{group}:{name}"

    def ended(self, state: int, group: str) -> str:
        """What has finished in this state."""
        return f"{self.base}ended:{state}:{group}"

    def running(self, worker_id: str) -> str:
        """What this worker owns."""
        return f"{self.base}running:{worker_id}"
