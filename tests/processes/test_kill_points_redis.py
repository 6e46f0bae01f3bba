"""Death at each moment that matters, with the store in Redis."""

import pytest

from tests.processes.test_kill_points import (  # noqa: F401  # collected here a second time
    test_death_at_any_moment_loses_nothing_and_repeats_only_what_was_not_written,
)

pytestmark = pytest.mark.parametrize("store", ["redis"], indirect=True)
