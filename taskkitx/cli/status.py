"""`taskkitx status`: what waits, and what every thread runs right now."""

from collections.abc import Sequence
from typing import Any

import click

from taskkitx.backend import Backend
from taskkitx.cli.output import duration, print_json, print_table, printable
from taskkitx.cli.store import opened, store_options, without_password
from taskkitx.record import GroupStatus, WorkerRecord
from taskkitx.task import TaskState

CAP = 10_000
"""Counting stops there: a look must not cost more the longer the queue."""
_COUNTED = (TaskState.QUEUED, TaskState.SCHEDULED, TaskState.RUNNING, TaskState.FAILED)
_RARE = (TaskState.SOLO, TaskState.PARKED, TaskState.BLOCKED)
"""Shown where there are any."""

_Row = dict[str, Any]


@click.command()
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(url: str | None, app: str | None, as_json: bool) -> None:
    """Show groups and workers: counts, oldest task, rate, what each thread runs."""
    with opened(url, app) as (backend, _):
        workers = [_worker(record) for record in backend.workers()]
        groups = group_rows(backend.groups(CAP), workers)
        parked = _parked(backend, groups)
        alarms = backend.alarms()
        store = without_password(backend.url)
    if as_json:
        print_json(
            {
                "store": store,
                "alarms": alarms,
                "count_cap": CAP,
                "groups": groups,
                "workers": workers,
                "parked": parked,
            }
        )
        return
    click.echo(f"store {store}\n")
    for alarm in alarms:
        click.echo(f"ALARM: {printable(alarm)}\n")
    _print_groups(groups)
    click.echo()
    if parked:
        _print_parked(parked)
        click.echo()
    _print_workers(workers)


def _parked(backend: Backend, groups: Sequence[_Row]) -> list[_Row]:
    """Names that no process knew which claimed them, of the newest parked tasks."""
    if not any(row["counts"][TaskState.PARKED.label] for row in groups):
        return []
    from taskkitx.app.reading import parked_names

    return [
        {"group": group, "name": name, "count": count}
        for (group, name), count in sorted(parked_names(backend).items())
    ]


def _print_parked(parked: Sequence[_Row]) -> None:
    print_table(
        "Parked: no worker that claimed them knows these names",
        ["group", "name", "tasks"],
        ([row["group"], row["name"], row["count"]] for row in parked),
    )


def _worker(record: WorkerRecord) -> _Row:
    """A worker for programs: who it is, and what its keeper last said of it."""
    return {
        "id": record.id,
        "host": record.host,
        "pid": record.pid,
        "instance": record.instance,
        "started": record.started,
        "lease_left": round(record.lease_left, 3),
        **{
            key: record.info.get(key)
            for key in (
                "groups",
                "threads",
                "idle",
                "finished",
                "rate",
                "rss",
                "solo",
                "draining",
                "recycled",
            )
        },
        "running": list(record.info.get("running") or []),
    }


def group_rows(known: Sequence[GroupStatus], workers: Sequence[_Row]) -> list[_Row]:
    """Groups of the store, then those that only workers name; each with the rate of who works for it."""
    rows = [
        {
            "group": found.group,
            "counts": {state.label: found.counts.get(state, 0) for state in TaskState},
            "oldest_due": found.oldest_due,
            "paused": found.paused,
        }
        for found in known
    ]
    names = {found.group for found in known}
    served = {group for worker in workers for group in worker["groups"] or ()}
    rows += [
        # A group without tasks is paused or not by a word on all groups, which the store does not tell here.
        {
            "group": group,
            "counts": {state.label: 0 for state in TaskState},
            "oldest_due": None,
            "paused": None,
        }
        for group in sorted(served - names)
    ]
    return [row | _rate(row["group"], workers) for row in rows]


def _rate(group: object, workers: Sequence[_Row]) -> _Row:
    """Tasks per second of the workers that serve a group: at most its own, where they serve others too."""
    serving = [worker for worker in workers if group in (worker["groups"] or ())]
    return {
        "rate": round(sum(worker["rate"] or 0.0 for worker in serving), 1),
        "rate_exact": all(len(worker["groups"]) == 1 for worker in serving),
        "workers": len(serving),
    }


def _print_groups(groups: Sequence[_Row]) -> None:
    rare = [state for state in _RARE if any(row["counts"][state.label] for row in groups)]
    states = [*_COUNTED, *rare]
    columns = ["group", *(state.label for state in states), "oldest", "rate", "workers", "paused"]
    print_table(
        "Groups",
        columns,
        (
            [
                row["group"],
                *(_count(row["counts"][state.label]) for state in states),
                duration(row["oldest_due"]),
                f"{'' if row['rate_exact'] or not row['rate'] else '<='}{row['rate']:g}/s",
                row["workers"],
                {True: "paused", False: "", None: None}[row["paused"]],
            ]
            for row in groups
        ),
    )


def _count(count: int) -> int | str:
    return f"{CAP}+" if count >= CAP else count


def _print_workers(workers: Sequence[_Row]) -> None:
    print_table(
        "Workers",
        ["host", "pid", "instance", "lease left", "threads", "finished", "rate", "state"],
        (
            [
                worker["host"],
                worker["pid"],
                worker["instance"] or None,
                duration(worker["lease_left"]),
                worker["threads"],
                worker["finished"],
                f"{worker['rate'] or 0:g}/s",
                _state(worker),
            ]
            for worker in workers
        ),
    )
    running = [(worker, task) for worker in workers for task in worker["running"]]
    if running:
        click.echo()
        print_table(
            "Running now",
            ["pid", "thread", "task", "name", "attempt", "for"],
            (
                [
                    worker["pid"],
                    task.get("thread"),
                    task.get("id"),
                    task.get("name"),
                    task.get("attempt"),
                    duration(task.get("seconds")),
                ]
                for worker, task in running
            ),
        )
    recycled = _recycled(workers)
    if recycled:
        click.echo()
        print_table("Recycled", ["task name", "times"], recycled)


def _recycled(workers: Sequence[_Row]) -> list[tuple[str, int]]:
    """By task name; all workers of one supervisor report the same numbers."""
    times: dict[str, int] = {}
    for worker in workers:
        recycled: dict[str, int] = worker["recycled"] or {}
        for name, count in recycled.items():
            times[name] = max(count, times.get(name, 0))
    return sorted(times.items())


def _state(worker: _Row) -> str:
    if worker["lease_left"] < 0:
        return "lease ended"
    words = [word for word in ("draining", "solo") if worker[word]]
    return " ".join(words) or f"{len(worker['running'])} running"
