"""Text is compared bytewise and kept as it is, and so are bytes and numbers."""

from dataclasses import replace

import pytest

from taskkitx.backend import Backend
from taskkitx.ids import MAX_GROUP, MAX_NAME
from taskkitx.outcome import Failed, Fault, Succeeded
from taskkitx.record import Lost, TaskFilter, WorkerRecord
from taskkitx.testing.conformance.given import (
    WORKER,
    claim_one,
    ids,
    new_task,
    put_and_claim,
    put_one,
    record_of,
    state_of,
)
from taskkitx.testing.conformance.ground import Ground

LOOKALIKES = [
    ("a", "A"),
    ("a", "a "),
    (" a", "a"),
    ("é", "e\u0301"),
    ("e", "é"),
    ("ß", "ss"),
    ("i", "\u0131"),
    ("k", "\u212a"),
    ("a", "\uff41"),
    ("1", "\uff11"),
    ("%", "a"),
    ("_", "a"),
    ("a'b", "a''b"),
    ("a\\b", "a\\\\b"),
]
EVERY_PAIR = pytest.mark.parametrize(("one", "another"), LOOKALIKES)
ALL_BYTES = bytes(range(256))
WIDE = "\U0001f9f6"
"""Four bytes in UTF-8."""


class TextConformance(Ground):
    """What is written comes back, and nothing is taken for its lookalike."""

    @EVERY_PAIR
    def test_groups_that_look_alike(self, backend: Backend, one: str, another: str) -> None:
        first, second = put_one(backend, one), put_one(backend, another)
        backend.pause([another])

        claims = backend.claim(WORKER, {one: 5, another: 5})

        assert ids(claims) == [first.id]
        assert sorted(status.group for status in backend.groups()) == sorted([one, another])
        assert ids(backend.list_tasks(TaskFilter(group=another))) == [second.id]

    @EVERY_PAIR
    def test_names_that_look_alike(self, backend: Backend, one: str, another: str) -> None:
        first, second = put_one(backend, name=one), put_one(backend, name=another)
        claims = backend.claim(WORKER, {"g": 5})
        backend.release(WORKER, claims, parked=True)

        parked = backend.claim_parked(WORKER, "g", [one], 5)

        assert ids(parked) == [first.id]
        assert ids(backend.list_tasks(TaskFilter(name=another))) == [second.id]

    @EVERY_PAIR
    def test_unique_keys_that_look_alike(self, backend: Backend, one: str, another: str) -> None:
        first, second, double = (new_task(unique_key=key) for key in (one, another, one))

        answers = backend.put([first, second, double])

        assert answers == [(first.id, True), (second.id, True), (first.id, False)]

    @EVERY_PAIR
    def test_ids_that_look_alike(self, backend: Backend, one: str, another: str) -> None:
        first, second = (replace(new_task(), id=f"{part}_{'0' * 32}") for part in (one, another))

        answers = backend.put([first, second])

        assert [put.created for put in answers] == [True, True]
        assert backend.discard([first.id]) == 1
        assert backend.get_many([first.id, second.id]).keys() == {second.id}

    @EVERY_PAIR
    def test_workers_that_look_alike(self, backend: Backend, one: str, another: str) -> None:
        task = put_and_claim(backend, one)
        backend.register(WorkerRecord(one), ttl=30.0)
        backend.register(WorkerRecord(another), ttl=30.0)

        stale = backend.finish(another, [Succeeded(task, b"")])

        assert set(stale) == set()
        assert {worker.id for worker in backend.workers()} == {one, another}
        assert backend.restore(another) == 0
        assert set(backend.finish(one, [Succeeded(task, b"")])) == {task.id}

    def test_ids_are_sorted_by_their_bytes(self, backend: Backend) -> None:
        parts = ["a", "B", "Z", "é", "e\u0301", "z", "\U0001f9f6", "\uff41", "a.", "a b", "aa"]
        tasks = [replace(new_task(), id=f"{part}_{'0' * 32}") for part in parts]
        backend.put(tasks)

        listed = backend.list_tasks(TaskFilter())

        assert ids(listed) == sorted(ids(tasks), key=str.encode, reverse=True)

    def test_groups_are_sorted_by_their_bytes(self, backend: Backend) -> None:
        names = ["a", "B", "Z", "é", "z", "\U0001f9f6", "\uff41", "a b"]
        for name in names:
            put_one(backend, name)

        groups = [status.group for status in backend.groups()]

        assert groups == sorted(names, key=str.encode)

    def test_the_longest_and_widest_text(self, backend: Backend) -> None:
        group, name, key = WIDE * MAX_GROUP, WIDE * MAX_NAME, WIDE * 255
        headers = {WIDE: WIDE * 1000}

        put_one(backend, group, name=name, unique_key=key, headers=headers)

        task = claim_one(backend, group=group)
        assert (task.group, task.name, task.unique_key) == (group, name, key)
        assert task.headers == headers

    @pytest.mark.parametrize(
        "data",
        [b"", b"\x00", ALL_BYTES, ALL_BYTES * 4096, "é".encode(), b"\\x41", b"\\\\000'"],
        ids=["empty", "NUL", "all", "1 MiB", "UTF-8", "hex", "escapes"],
    )
    def test_data_and_results_are_bytes(self, backend: Backend, data: bytes) -> None:
        task = put_and_claim(backend, data=data)

        backend.finish(WORKER, [Succeeded(task, data)])

        record = record_of(backend, task)
        assert (task.data, record.task.data, record.result) == (data, data, data)

    def test_a_long_wide_trace_is_kept(self, backend: Backend) -> None:
        task = put_and_claim(backend)
        fault = Fault("E", f"é {WIDE} % {{}} 'quoted' \\", WIDE * 16_384)

        backend.finish(WORKER, [Failed(task, fault)])

        (attempt,) = backend.attempts(task.id)
        assert record_of(backend, task).error == fault.text
        assert (attempt.message, attempt.trace) == (fault.message, fault.trace)

    def test_text_of_people_is_kept(self, backend: Backend) -> None:
        task, lost = put_and_claim(backend), put_and_claim(backend)
        text = f"é {WIDE} % 'quoted' \"twice\" \\ \n"

        backend.progress(WORKER, task, text)
        backend.cancel([task.id], by=text)
        backend.restore(WORKER, suspects={lost.id: Lost(text)})

        record = record_of(backend, task)
        assert (record.progress, record.cancelled_by) == (text, text)
        assert record_of(backend, lost).task.loss == text

    @pytest.mark.parametrize("headers", [None, {}, {"a": ""}, {"": "é", "b": "\n\t\"'"}])
    def test_headers_are_kept(self, backend: Backend, headers: dict[str, str] | None) -> None:
        put_one(backend, headers=headers)

        task = claim_one(backend)

        assert dict(task.headers or {}) == (headers or {})

    @pytest.mark.parametrize("priority", [2**31 - 1, -(2**31 - 1)])
    def test_numbers_are_kept(self, backend: Backend, priority: int) -> None:
        task = put_one(
            backend, due=253402300799.0, ttl=1e9 + 0.125, priority=priority, timeout=1e-3
        )

        kept = record_of(backend, task).task

        assert (kept.due, kept.ttl) == (253402300799.0, 1e9 + 0.125)
        assert (kept.priority, kept.timeout) == (priority, 1e-3)
        assert state_of(backend, task).label == "scheduled"
