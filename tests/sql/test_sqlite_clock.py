"""A wall clock that jumps: leases on a SQLite file are kept in the machine's boot clock."""

from pathlib import Path

import pytest

from taskkitx import clock
from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.task import Task
from taskkitx.worker.identity import describe

HOUR = 3600.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_nobody_is_believed_dead_because_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """Seen to fail with leases kept in wall time."""
    path, now = str(tmp_path / "tasks.db"), clock.now
    before = SqliteBackend(path)
    before.register(describe("wk_1", ""), 15.0)
    before.put([Task.init("g", "n", b"")])
    before.claim("wk_1", {"g": 1})

    monkeypatch.setattr(clock, "now", lambda: now() + jump)
    after = SqliteBackend(path)

    assert after.expired_workers() == []
    assert list(after.renew({"wk_1": {}}, 15.0)) == ["wk_1"]
    assert before.expired_workers() == []
    before.close()
    after.close()
