"""`taskkitx status`: what waits, what runs and who runs it."""

from collections.abc import Mapping
from typing import Any

import click

from taskkitx.backend import GroupStatus, WorkerRecord
from taskkitx.cli.options import json_option, open_store, store_options
from taskkitx.cli.output import duration, print_json, print_table
from taskkitx.task import TaskState

CAP = 10_000
_SHOWN = (TaskState.QUEUED, TaskState.SCHEDULED, TaskState.RUNNING, TaskState.FAILED)
_GROUP_COLUMNS = (
    "group",
    "queued",
    "scheduled",
    "running",
    "failed",
    "suspects",
    "parked",
    "oldest",
    "rate/s",
    "",
)
_WORKER_COLUMNS = (
    "worker",
    "host",
    "pid",
    "instance",
    "lease",
    "rate/s",
    "finished",
    "running now",
)
_ODD = (TaskState.SOLO, TaskState.PARKED)


@click.command()
@store_options
@json_option
def status(url: str | None, app: str | None, as_json: bool) -> None:
    """Groups: queued, scheduled, running, failed, oldest age, rate; workers: what each thread runs."""
    backend, _ = open_store(url, app)
    groups, workers = backend.groups(CAP), backend.workers()
    if as_json:
        print_json(
            {
                "groups": [_group_facts(group, workers) for group in groups],
                "workers": [_worker_facts(worker) for worker in workers],
            }
        )
        return
    print_table("groups", _GROUP_COLUMNS, [_group_row(group, workers) for group in groups])
    print_table("workers", _WORKER_COLUMNS, [_worker_row(worker) for worker in workers])
    _print_recycles(workers)


def _rate(workers: list[WorkerRecord], group: str) -> float:
    """Tasks per second of the workers of a group; a worker of several groups does not tell them apart."""
    return sum(
        float(worker.info.get("rate", 0.0))
        for worker in workers
        if group in worker.info.get("groups", ())
    )


def _group_row(status: GroupStatus, workers: list[WorkerRecord]) -> list[Any]:
    counts = [_capped(status.counts.get(state, 0)) for state in (*_SHOWN, *_ODD)]
    paused = "paused" if status.paused else ""
    return [
        status.group,
        *counts,
        duration(status.oldest_due),
        _rate(workers, status.group),
        paused,
    ]


def _capped(count: int) -> str:
    return f"{count:,}+" if count >= CAP else f"{count:,}"


def _group_facts(status: GroupStatus, workers: list[WorkerRecord]) -> dict[str, Any]:
    counts = {state.label: status.counts.get(state, 0) for state in TaskState}
    return {
        "group": status.group,
        **counts,
        "oldest_age": status.oldest_due,
        "rate": _rate(workers, status.group),
        "paused": status.paused,
        "capped_at": CAP,
    }


def _worker_row(worker: WorkerRecord) -> list[Any]:
    running: list[Mapping[str, Any]] = worker.info.get("running", [])
    now = "\n".join(
        f"{one['thread']}: {one['name']} {duration(one['seconds'])} ({one['id']})"
        for one in running
    )
    return [
        worker.id,
        worker.host,
        worker.pid,
        worker.instance,
        duration(worker.lease_left) if worker.lease_left > 0 else "ended",
        worker.info.get("rate"),
        worker.info.get("finished"),
        now or "idle",
    ]


def _worker_facts(worker: WorkerRecord) -> dict[str, Any]:
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "instance": worker.instance,
        "started": worker.started,
        "lease_left": worker.lease_left,
        **worker.info,
    }


def _print_recycles(workers: list[WorkerRecord]) -> None:
    recycled: dict[str, int] = {}
    for worker in workers:
        for name, count in worker.info.get("recycled", {}).items():
            recycled[name] = max(count, recycled.get(name, 0))
    if recycled:
        print_table(
            "recycled workers, by the task that ran", ("task", "times"), sorted(recycled.items())
        )
