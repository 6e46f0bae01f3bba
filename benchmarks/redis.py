"""The same on Redis: a private server, with its append-only file written but not synced."""

import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis as Client

from benchmarks import tree
from benchmarks.figure import Figure, Figures
from taskkitx import Backend, Kit, connect
from taskkitx.backends.redis.scripts import Script
from taskkitx.outcome import Succeeded
from tests.servers import Redis

CLAIMED = 16
LITTLE, MUCH = 1_000, 1_000_000


@contextmanager
def store(folder: Path) -> Generator[tuple[Kit[str, str], Client]]:
    """A kit on an empty server, and a client of it."""
    server = Redis()
    server.start()
    try:
        url = server.fresh_url()
        with tree.store(folder, "redis", url) as kit, Client.from_url(url) as client:
            kit.backend.open()
            yield kit, client
    finally:
        server.remove()


def drain(folder: Path, tasks: int = 50_000) -> Figures:
    with store(folder) as (kit, _):
        rate = tree.drain(kit, tree.noops(tasks))
    return {"Redis: drain, 2 processes x 8 threads": Figure(rate, "tasks/s", None, ">= 20,000/s")}


def initiate(folder: Path) -> Figures:
    with store(folder) as (kit, client):
        rates: dict[str, list[float]] = {"ours": [], "floor": []}
        # In turns, so that both meet the same machine.
        for _ in range(20):
            rates["ours"].append(_rate(lambda _: kit.initiate_task("default", "noop", "1")))
            rates["floor"].append(_rate(lambda number: _multi(client, number)))
        work = tree.noops(100_000)
        began = time.perf_counter()
        for start in range(0, len(work), 500):
            kit.initiate_tasks(*work[start : start + 500])
        bulk = len(work) / (time.perf_counter() - began)
    ours, floor = statistics.median(rates["ours"]), statistics.median(rates["floor"])
    return {
        "Redis: initiate one by one (floor: MULTI HSET ZADD)": Figure(ours, "/s", floor, ">= 0.8"),
        "Redis: initiate 500 at once": Figure(bulk, "/s"),
    }


def _rate(once: Callable[[int], object], count: int = 200) -> float:
    began = time.perf_counter()
    for number in range(count):
        once(number)
    return count / (time.perf_counter() - began)


def _multi(client: Client, number: int) -> None:
    """What any queue has to write: the task, and its place."""
    name, now = f"floor:{time.time_ns()}:{number}", time.time()
    fields: dict[Any, Any] = {"name": "noop", "data": "1", "ttl": 604800.0}
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hset(name, mapping={**fields, "state": 1, "due": now, "created": now})
        pipeline.zadd("floor:queue", {name: now})
        pipeline.execute()


def latency(folder: Path) -> Figures:
    with store(folder) as (kit, _), tree.workers():
        pickup, results = tree.pick_ups(kit)
    return {
        "Redis: initiated elsewhere until started, p50": Figure(
            statistics.median(pickup) * 1000, "ms", None, "<= 2 ms"
        ),
        "Redis: started until Result.get returns, p50": Figure(
            statistics.median(results) * 1000, "ms", None, "<= 10 ms"
        ),
    }


def full(folder: Path) -> Figures:
    """What a claim costs beside much that is queued and due later, the median of many, in turns with one of little."""
    with store(folder) as (kit, client):
        backends: list[Backend] = []
        for prefix, count in (("few", LITTLE), ("many", MUCH)):
            _fill(client, prefix, count)
            backends.append(connect(f"{kit.backend.url}?prefix={prefix}")[0])
        costs: list[list[float]] = [[], []]
        for _ in range(1000):
            for backend, cost in zip(backends, costs, strict=True):
                cost.append(_claim_cost(backend))
        few, many = map(statistics.median, costs)
    return {
        f"Redis: claiming {CLAIMED} of {MUCH:,} queued and {MUCH:,} future (floor: of {LITTLE:,})": Figure(
            many * 1e6, "us", few * 1e6, "about 1"
        )
    }


def _claim_cost(backend: Backend) -> float:
    """Seconds for one claim; what it took is put back, so that there is always as much."""
    backend.put(tree.noops(CLAIMED))
    began = time.perf_counter()
    claims = backend.claim("wk", {"default": CLAIMED})
    cost = time.perf_counter() - began
    backend.finish("wk", [Succeeded(task, b"1") for task in claims])
    return cost


def _fill(client: Client, prefix: str, count: int) -> None:
    """As if put, but without the way there."""
    source = Script("put_plain").source.rpartition(b"return put_all()")[0].decode() + FILL
    for start in range(0, count, 1000):
        client.eval(source, 1, f"{{{prefix}}}:", "", start, min(start + 1000, count))


FILL = """
local first, last = tonumber(take()), tonumber(take())
for number = first, last - 1 do
  for kind, due in pairs({ a = stamp, b = text(now + 1000000 + number) }) do
    local id = string.format('default_%s%031d', kind, number)
    call('HSET', base .. 'task:' .. id, 'state', kind == 'a' and QUEUED or SCHEDULED, 'due', due, 'created', stamp,
      'name', 'noop', 'data', '1', 'ttl', 604800)
    call('ZADD', base .. 'ids:default', 0, id)
    if kind == 'a' then
      call('ZADD', base .. 'queue:default', 0, place(due, id))
    else
      call('ZADD', base .. 'future:default', due, id)
    end
  end
end
call('SADD', base .. 'groups', 'default')
return 1
"""


ALL = {
    "redis-drain": drain,
    "redis-initiate": initiate,
    "redis-latency": latency,
    "redis-full": full,
}
