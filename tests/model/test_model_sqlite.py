"""SQLite against the memory store: whatever is done to both, they answer alike."""

from itertools import count
from pathlib import Path

import pytest

from taskkitx.backends.sql.sqlite import SqliteBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.model import check_against_memory


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_sqlite_behaves_as_memory(tmp_path: Path) -> None:
    numbers = count()

    def subject(clock: FakeClock) -> SqliteBackend:
        return SqliteBackend(str(tmp_path / f"subject-{next(numbers)}.db"), clock=clock)

    check_against_memory(subject)
