"""What a handler does that says only how to run a task."""

import threading
from collections.abc import Iterator

import pytest

from taskkitx import (
    ConfigurationError,
    EncodeError,
    Failed,
    Kit,
    Task,
    TaskHandler,
    make_kit,
)
from taskkitx.record import TaskFilter


class Doubling(TaskHandler[int, int]):
    def handle(self, task: Task) -> int:
        if task.name == "fails":
            raise ValueError("as it was told")
        return int(task.data) * 2


@pytest.fixture
def kit(request: pytest.FixtureRequest) -> Iterator[Kit[int, int]]:
    kit = make_kit(Doubling(), f"memory://{request.node.name}")
    yield kit
    kit.stop_worker()


def work(kit: Kit[int, int]) -> None:
    threading.Thread(target=kit.run_worker, args=({"g": 1},), daemon=True).start()


def test_data_and_results_travel_as_json(kit: Kit[int, int]):
    work(kit)

    assert kit.initiate_task("g", "double", 21).get(timeout=20) == 42


def test_data_that_json_would_lose_is_refused_and_nothing_is_put(kit: Kit[int, int]):
    with pytest.raises(EncodeError, match=r"value\[0\] is a set"):
        kit.initiate_task("g", "double", [{1}])  # type: ignore[arg-type]  # the mistake under test

    assert not kit.backend.list_tasks(TaskFilter())


def test_a_failure_is_not_tried_again(kit: Kit[int, int]):
    work(kit)

    with pytest.raises(Failed, match="as it was told"):
        kit.initiate_task("g", "fails", 1).get(timeout=20)


def test_a_handler_that_cannot_handle_cannot_be_made():
    class Idle(TaskHandler[int, int]):
        pass

    with pytest.raises(TypeError, match="handle"):
        Idle()  # type: ignore[abstract]  # the mistake under test


def test_a_handler_in_the_place_of_the_url_is_told_apart():
    with pytest.raises(ConfigurationError, match=r"of type Doubling; .* make_kit\(handler, url\)"):
        make_kit("memory://swapped", Doubling())  # type: ignore[arg-type]  # the mistake under test
