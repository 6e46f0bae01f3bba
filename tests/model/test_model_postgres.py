"""Postgres against the memory store: whatever is done to both, they answer alike."""

import pytest

from taskkitx.backends.sql.postgres import PostgresBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.model import check_against_memory
from tests.servers import forget_everything


@pytest.mark.usefixtures("no_old_snapshot")
@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_postgres_behaves_as_memory(empty_postgres_url: str) -> None:
    def subject(clock: FakeClock) -> PostgresBackend:
        forget_everything(empty_postgres_url)
        return PostgresBackend(empty_postgres_url, clock=clock)

    check_against_memory(subject)
