"""Workers and their leases, and taking tasks back from the dead."""

import json
import random
from collections.abc import Mapping
from typing import Any

from taskkitx.backends.sql import statements as sql
from taskkitx.backends.sql.cycle import remember, wait_again
from taskkitx.backends.sql.rows import to_worker
from taskkitx.backends.sql.session import Session
from taskkitx.ids import group_of
from taskkitx.record import Lost, WorkerRecord

BACK_OFF = 10.0
MOST_DOUBLINGS = 12
"""Of the back-off of what is lost or crashes again and again: half a day at most."""
SOLO_FROM_LOST = 2
KEEP = -1.0
"""In place of seconds after now: `due` stays."""


def register(session: Session, worker: WorkerRecord, ttl: float) -> None:
    """Make a worker known."""
    row = {
        "id": worker.id,
        "instance": worker.instance,
        "host": worker.host,
        "pid": worker.pid,
        "boot_id": worker.boot_id,
        "pid_namespace": worker.pid_namespace,
        "pid_started": worker.pid_started,
        "ttl": ttl,
        "info": json.dumps(dict(worker.info)),
    }
    session.change(sql.REGISTER, row)


def renew(session: Session, workers: Mapping[str, Mapping[str, Any]], ttl: float) -> set[str]:
    """Extend leases; returns the ids that are known."""
    beats = [
        {"id": worker_id, "info": json.dumps(dict(info)), "ttl": ttl}
        for worker_id, info in sorted(workers.items())
    ]
    changed = session.change_each(sql.RENEW, beats)
    return {str(beat["id"]) for beat, count in zip(beats, changed, strict=True) if count}


def known_workers(session: Session) -> list[WorkerRecord]:
    """Every worker, oldest first."""
    return [to_worker(row) for row in session.rows(sql.WORKERS)]


def expired_workers(session: Session) -> list[str]:
    """Who is dead by its lease, and owners nobody knows."""
    return sorted(row[0] for row in session.rows(sql.EXPIRED))


def restore(
    session: Session,
    worker_id: str,
    charged: Mapping[str, Lost],
    suspects: Mapping[str, Lost],
    lost: Lost | None,
    limit: int,
) -> tuple[int, set[str]]:
    """Take a page of tasks back; returns how many, and their groups."""
    page = session.rows(sql.OWNED_PAGE, {"worker": worker_id, "limit": limit})
    histories: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for task_id, attempt, crashes, times_lost in sorted(tuple(row) for row in page):
        fence = {"id": task_id, "attempt": attempt, "worker": worker_id}
        change: dict[str, Any] = {"solo": 0, "after": KEEP, "loss": None, "crashes": 0, "lost": 0}
        if loss := charged.get(task_id):
            histories.append(fence | _history("crashed", "crash", loss))
            after = _back_off(crashes) if loss.again else 0.0
            change |= {"solo": 1, "after": after, "loss": loss.cause, "crashes": 1}
        elif loss := suspects.get(task_id):
            change |= {"solo": int(loss.alone), "loss": loss.cause}
        elif lost is not None:
            histories.append(fence | _history("lost", "lost", lost))
            # Full jitter, so that the tasks that vanished together do not meet again.
            after = random.uniform(0.0, _back_off(times_lost))
            solo = int(times_lost + 1 >= SOLO_FROM_LOST)
            change |= {"solo": solo, "after": after, "loss": lost.cause, "lost": 1}
        changes.append(fence | change)
    remember(session, histories)
    session.change_each(sql.RESTORE, changes)
    wait_again(session, [change["id"] for change in changes])
    session.change(sql.FORGET_WORKER, {"id": worker_id})
    return len(page), {group_of(change["id"]) for change in changes}


def _back_off(times: int) -> float:
    return BACK_OFF * 2.0 ** min(times, MOST_DOUBLINGS)


def _history(word: str, kind: str, loss: Lost) -> dict[str, Any]:
    return {"word": word, "kind": kind, "message": loss.cause, "trace": loss.trace}
