"""What readers see: records, pages of tasks, groups."""

from collections.abc import Mapping

from taskkitx.backend import Backend
from taskkitx.outcome import Failed, Succeeded
from taskkitx.record import TaskFilter
from taskkitx.task import TaskState
from taskkitx.testing.clock import FakeClock
from taskkitx.testing.conformance.given import (
    CRASH,
    FAULT,
    WORKER,
    claim_all,
    ids,
    near,
    put_and_claim,
    put_and_finish,
    put_many,
    put_one,
)
from taskkitx.testing.conformance.ground import Ground

FINISHED = frozenset(state for state in TaskState if state.finished)


class ReadConformance(Ground):
    """`get_many`, `attempts`, `list_tasks`, `groups`, `open`, `close`, `persist`."""

    def test_gets_what_is_known(self, backend: Backend) -> None:
        tasks = put_many(backend, 3)

        records = backend.get_many([tasks[0].id, "g_unknown", tasks[2].id, tasks[0].id])

        assert {task_id: record.task.id for task_id, record in records.items()} == {
            task.id: task.id for task in (tasks[0], tasks[2])
        }
        assert backend.get_many([]) == {}

    def test_gets_thousands(self, backend: Backend) -> None:
        tasks = put_many(backend, 3000)

        records = backend.get_many(ids(tasks))

        assert records.keys() == set(ids(tasks))

    def test_an_unknown_task_has_no_attempts(self, backend: Backend) -> None:
        assert backend.attempts("g_unknown") == []

    def test_lists_newest_ids_first_in_pages(self, backend: Backend) -> None:
        newest_first = ids(put_many(backend, 7))[::-1]

        pages: list[list[str]] = []
        after: str | None = None
        while page := ids(backend.list_tasks(TaskFilter(), limit=3, after=after)):
            pages.append(page)
            after = page[-1]

        assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:]]

    def test_a_page_begins_below_an_id_even_when_that_is_gone(self, backend: Backend) -> None:
        tasks = put_many(backend, 5)
        backend.discard([tasks[2].id])

        page = backend.list_tasks(TaskFilter(), after=tasks[2].id)

        assert ids(page) == [tasks[1].id, tasks[0].id]

    def test_a_page_has_50_unless_told(self, backend: Backend) -> None:
        tasks = put_many(backend, 60)

        page = backend.list_tasks(TaskFilter())

        assert ids(page) == ids(tasks)[:9:-1]

    def test_lists_whole_records(self, backend: Backend) -> None:
        task = put_and_finish(backend, data=b"\x00")

        (record,) = backend.list_tasks(TaskFilter())

        assert record == backend.get_many([task.id])[task.id]
        assert (record.task.data, record.result) == (b"\x00", b"result")

    def test_lists_by_state(self, backend: Backend) -> None:
        failed = put_and_claim(backend)
        backend.finish(WORKER, [Failed(failed, FAULT)])
        succeeded, running = put_and_finish(backend), put_and_claim(backend)
        queued, scheduled = put_one(backend), put_one(backend, due=backend.now() + 60)

        def listed(*states: TaskState) -> set[str]:
            return set(ids(backend.list_tasks(TaskFilter(states=frozenset(states)))))

        assert listed(TaskState.QUEUED) == {queued.id}
        assert listed(TaskState.SCHEDULED, TaskState.RUNNING) == {scheduled.id, running.id}
        assert listed(*FINISHED) == {failed.id, succeeded.id}
        assert listed() == set()

    def test_lists_by_group_and_name(self, backend: Backend) -> None:
        wanted = put_one(backend, "a", name="x")
        for group, name in (("a", "y"), ("b", "x"), ("A", "x"), ("a", "X"), ("a_", "x")):
            put_one(backend, group, name=name)

        page = backend.list_tasks(TaskFilter(group="a", name="x"))

        assert ids(page) == [wanted.id]
        assert len(backend.list_tasks(TaskFilter(group="a"))) == 3
        assert len(backend.list_tasks(TaskFilter(name="x"))) == 4

    def test_filters_apply_before_the_page_is_cut(self, backend: Backend) -> None:
        wanted = put_many(backend, 2, name="wanted")
        put_many(backend, 20)

        page = backend.list_tasks(TaskFilter(name="wanted"), limit=5)

        assert ids(page) == ids(wanted)[::-1]

    def test_lists_what_finished_before(self, backend: Backend, clock: FakeClock) -> None:
        old = put_and_finish(backend)
        clock.advance(10.0)
        put_and_finish(backend)
        put_one(backend)

        page = backend.list_tasks(TaskFilter(finished_before=clock() - 5.0))

        assert ids(page) == [old.id]

    def test_groups_are_counted_by_state(self, backend: Backend) -> None:
        put_and_finish(backend)
        put_many(backend, 3)
        put_one(backend, due=backend.now() + 60)
        suspect = claim_all(backend)[0]
        backend.restore(WORKER, suspects={suspect.id: CRASH})
        put_one(backend, "b")
        backend.pause(["c"])

        statuses = {status.group: status for status in backend.groups()}

        assert list(statuses) == ["b", "c", "g"]
        assert _counts(statuses["g"].counts) == {
            "queued": 2,
            "scheduled": 1,
            "solo": 1,
            "succeeded": 1,
        }
        assert _counts(statuses["b"].counts) == {"queued": 1}
        assert _counts(statuses["c"].counts) == {}
        assert [status.paused for status in statuses.values()] == [False, True, False]

    def test_counts_stop_at_the_cap(self, backend: Backend) -> None:
        put_many(backend, 12)
        claims = backend.claim(WORKER, {"g": 5})
        backend.finish(WORKER, [Succeeded(claims[0], b"")])

        (status,) = backend.groups(cap=3)

        assert _counts(status.counts) == {"queued": 3, "running": 3, "succeeded": 1}

    def test_the_age_of_what_has_been_due_longest(self, backend: Backend, clock: FakeClock) -> None:
        put_one(backend, "waiting")
        put_one(backend, "later", due=clock() + 60)
        put_and_claim(backend, group="running")
        clock.advance(5.0)
        put_one(backend, "waiting", priority=9)

        ages = {status.group: status.oldest_due for status in backend.groups()}

        assert ages == {
            "waiting": near(5.0),
            "later": None,
            "running": None,
        }

    def test_no_groups(self, backend: Backend) -> None:
        assert backend.groups() == []

    def test_a_group_without_tasks_that_was_resumed_is_gone(self, backend: Backend) -> None:
        backend.pause(["a"])
        backend.resume(["a"])

        assert backend.groups() == []

    def test_a_closed_backend_opens_anew(self, backend: Backend) -> None:
        backend.open()
        task = put_one(backend)
        backend.close()
        backend.close()

        assert ids(claim_all(backend)) == [task.id]

    def test_what_was_written_is_persisted(self, backend: Backend, other: Backend) -> None:
        task = put_one(backend)

        backend.persist()

        assert backend.get_many([task.id]) == other.get_many([task.id])

    def test_names_its_store(self, backend: Backend, other: Backend) -> None:
        assert backend.url == other.url
        assert "://" in backend.url


def _counts(counts: Mapping[TaskState, int]) -> dict[str, int]:
    return {state.label: count for state, count in counts.items() if count}
