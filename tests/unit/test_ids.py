"""Ids: where they sort, whom they name, and that no two are the same."""

import os
import threading

import pytest

from taskkitx.errors import InvalidTask
from taskkitx.ids import (
    MAX_GROUP,
    MAX_NAME,
    check_group,
    check_name,
    group_of,
    make_task_id,
    make_worker_id,
    uuid7_hex,
)


def test_a_task_id_names_its_group():
    for group in ("mail", "with_underscore", "_", "ünï", "a b"):
        task_id = make_task_id(group)

        assert group_of(task_id) == group
        assert len(task_id) == len(group) + 33


@pytest.mark.parametrize(("made_by_hand", "group"), [("none", "none"), ("_a", ""), ("a_", "a")])
def test_the_group_of_an_id_that_was_made_by_hand(made_by_hand, group):
    assert group_of(made_by_hand) == group


def test_the_hex_is_a_uuid_of_version_7():
    digits = uuid7_hex()

    assert len(digits) == 32
    assert digits[12] == "7"
    assert digits[16] in "89ab"


def test_it_begins_with_the_milliseconds(monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 1_772_366_400_123_456_789)

    digits = uuid7_hex()

    assert int(digits[:12], 16) == 1_772_366_400_123
    assert int(digits[13:16], 16) == 456_789 * 4096 // 1_000_000


def test_later_ids_sort_behind(monkeypatch):
    nanoseconds = iter(range(1_772_366_400_000_000_000, 2 * 10**18, 250_000))
    monkeypatch.setattr("time.time_ns", lambda: next(nanoseconds))

    made = [uuid7_hex() for _ in range(2000)]

    assert made == sorted(made)


def test_threads_make_different_ids():
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine):
        mine.extend(uuid7_hex() for _ in range(3000))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({digits for mine in made for digits in mine}) == 8 * 3000


def test_a_forked_child_makes_different_ids():
    uuid7_hex()
    reading, writing = os.pipe()

    pid = os.fork()
    if not pid:
        tails = (uuid7_hex()[-16:] for _ in range(50))
        os.write(writing, "\n".join(tails).encode())
        os._exit(0)
    mine = {uuid7_hex()[-16:] for _ in range(50)}
    os.waitpid(pid, 0)
    os.close(writing)
    theirs = set(os.read(reading, 65536).decode().split())
    os.close(reading)

    assert len(theirs) == 50
    assert mine.isdisjoint(theirs)


def test_a_worker_id_is_never_used_again():
    made = {make_worker_id() for _ in range(1000)}

    assert len(made) == 1000
    assert all(worker_id.startswith("wk_") for worker_id in made)


@pytest.mark.parametrize(("check", "limit"), [(check_group, MAX_GROUP), (check_name, MAX_NAME)])
def test_text_within_its_limits_is_taken(check, limit):
    for text in ("a", " ", "é", "\U0001f9f6" * limit, "a/b.c:d"):
        assert check(text) == text


@pytest.mark.parametrize(("check", "limit"), [(check_group, MAX_GROUP), (check_name, MAX_NAME)])
@pytest.mark.parametrize("bad", ["", None, 5, b"bytes", "nul\x00", "line\n", "\ud800", "\x7f"])
def test_text_no_store_could_keep_is_refused(check, limit, bad):
    with pytest.raises(InvalidTask) as refused:
        check(bad)

    assert repr(bad) in str(refused.value)


@pytest.mark.parametrize(("check", "limit"), [(check_group, MAX_GROUP), (check_name, MAX_NAME)])
def test_text_over_its_limit_is_refused(check, limit):
    with pytest.raises(InvalidTask, match=f"at most {limit} characters.* has {limit + 1}$"):
        check("x" * (limit + 1))
