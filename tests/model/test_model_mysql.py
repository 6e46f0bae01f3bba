"""MariaDB against the memory store: whatever is done to both, they answer alike."""

import pytest

from taskkitx.backends.sql.mysql import MySqlBackend
from taskkitx.testing import FakeClock
from taskkitx.testing.model import check_against_memory
from tests.servers import forget_everything


@pytest.mark.usefixtures("no_old_snapshot")
@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_mariadb_behaves_as_memory(empty_mysql_url: str) -> None:
    def subject(clock: FakeClock) -> MySqlBackend:
        forget_everything(empty_mysql_url)
        return MySqlBackend(empty_mysql_url, clock=clock)

    check_against_memory(subject)
