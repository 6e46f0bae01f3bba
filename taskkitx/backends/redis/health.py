"""What a server may lose, told when work begins, and what is wrong with it now."""

from taskkitx import log
from taskkitx.backends.redis.connections import Connections
from taskkitx.backends.redis.opening import server_info

NEARLY_FULL = 0.9
_FAILED = {
    "aof_last_write_status": "cannot write its append-only file",
    "aof_last_bgrewrite_status": "could not rewrite its append-only file",
    "rdb_last_bgsave_status": "could not save its last snapshot",
}

redis_loses_data = log.Event(
    "warning",
    "redis_loses_data",
    "Redis at {server} can lose tasks: {risks}; see docs/redis.md for what is promised",
)


def warn_of_risks(connections: Connections) -> None:
    """One line where Redis may lose what it has acknowledged."""
    found = risks(connections)
    if found:
        redis_loses_data(server=connections.server.where, risks="; ".join(found))


def risks(connections: Connections) -> list[str]:
    """Why tasks may be lost."""
    memory, persistence = (
        server_info(connections, "memory"),
        server_info(connections, "persistence"),
    )
    found: list[str] = []
    if persistence.get("aof_enabled") == "0":
        found.append(
            "persistence is off or by snapshots alone (appendonly no), so what came after the last snapshot is gone "
            "when it ends: set appendonly yes"
        )
    policy = memory.get("maxmemory_policy", "")
    if policy.startswith("allkeys"):
        found.append(
            f"maxmemory-policy {policy} may evict any task: set maxmemory-policy noeviction"
        )
    return found


def alarms(connections: Connections) -> list[str]:
    """What needs somebody's attention, one line each."""
    memory, persistence = (
        server_info(connections, "memory"),
        server_info(connections, "persistence"),
    )
    where = connections.server.where
    used, most = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    found = [
        f"Redis at {where} {what}: see its log and its disk"
        for name, what in _FAILED.items()
        if persistence.get(name, "ok") != "ok"
    ]
    if most and used >= NEARLY_FULL * most:
        found.append(
            f"Redis at {where} uses {used / most:.0%} of its maxmemory ({used >> 20} of {most >> 20} MB), "
            "and takes no new tasks when that is full: raise maxmemory, or keep finished tasks for a shorter ttl"
        )
    return found
