"""Log lines: one per event, bounded, collapsed, and never in the way of work."""

import ast
import json
import os
import pty
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

import taskkitx
from taskkitx import journal, log


@pytest.fixture
def pipe():
    read, write = os.pipe()
    os.set_blocking(read, False)
    yield SimpleNamespace(read=read, write=write)
    os.close(read)
    os.close(write)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("taskkitx.journal.time.monotonic", lambda: clock.now)
    return clock


@pytest.fixture(autouse=True)
def fresh_journal(monkeypatch):
    monkeypatch.setattr(log, "_journal", journal.Journal(log.lines_dropped))


def lines(read):
    try:
        return os.read(read, 10**6).decode().splitlines()
    except BlockingIOError:
        return []


def test_an_event_is_one_line_of_text(pipe):
    log.configure(descriptor=pipe.write)

    log.worker_ended(role="worker", pid=7, reason="the supervisor stops")

    (line,) = lines(pipe.read)
    assert line.endswith(f"info [{os.getpid()}] worker 7 ended: the supervisor stops")


def test_an_event_is_one_object_of_json(pipe):
    log.configure(format="json", descriptor=pipe.write)

    log.worker_ended(role="worker", pid=7, reason="x")

    (line,) = lines(pipe.read)
    event = json.loads(line)
    assert event["event"] == "worker_ended"
    assert event["text"] == "worker 7 ended: x"
    assert (event["pid"], event["pid_"], event["reason"]) == (os.getpid(), 7, "x")


def test_fields_may_be_given_in_the_order_of_the_text(pipe):
    log.configure(descriptor=pipe.write)

    log.store_down("lease", ConnectionError("no\nroute"))

    (line,) = lines(pipe.read)
    assert "lease: the store does not answer: ConnectionError: no route" in line


def test_tasks_are_named_by_their_ids(pipe):
    log.configure(descriptor=pipe.write)

    log.outcomes_refused("wk_1", [SimpleNamespace(id="a_1"), SimpleNamespace(id="b_2")])

    assert "by now: a_1, b_2" in lines(pipe.read)[0]


def test_a_forgotten_field_spoils_the_line_and_nothing_else(pipe):
    log.configure(descriptor=pipe.write)

    log.worker_ready(role="worker", pid=7, seconds="many")

    assert "'pid': 7" in lines(pipe.read)[0]


def test_levels_below_the_wanted_one_are_not_written(pipe):
    log.configure(level="warning", descriptor=pipe.write)

    log.worker_ended(role="worker", pid=7, reason="x")
    log.roll_aborted(reason="y")

    assert [line.split()[1] for line in lines(pipe.read)] == ["error"]


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_line_fits_into_one_write_of_a_pipe(pipe, format):
    log.configure(format=format, descriptor=pipe.write)

    log.boot_refused(reason="ü" * 10_000)

    (line,) = lines(pipe.read)
    assert len(line.encode()) < journal.MAX_LINE
    if format == "json":
        assert json.loads(line)["event"] == "boot_refused"


def test_a_traceback_stays_one_event(pipe):
    log.configure(descriptor=pipe.write)

    log.boot_refused(reason="first\nsecond")

    first, second = lines(pipe.read)
    assert first.endswith("first")
    assert second == "  second"


def test_the_same_trouble_is_written_once_and_then_counted(pipe, clock):
    """Seen to fail without the look into the troubles just written."""
    log.configure(descriptor=pipe.write)

    for _ in range(100):
        log.store_down("lease", "gone")
    assert len(lines(pipe.read)) == 1

    clock.now += 11
    log.store_down("lease", "gone")

    (counted,) = lines(pipe.read)
    assert "(and 99 times more)" in counted


def test_a_count_is_written_with_whatever_is_logged_next(pipe, clock):
    log.configure(descriptor=pipe.write)
    log.store_down("lease", "gone")
    log.store_down("lease", "gone")
    lines(pipe.read)

    clock.now += 11
    log.store_up("lease", 2)

    counted, up = lines(pipe.read)
    assert "(and 1 times more)" in counted
    assert "answers again" in up


def test_troubles_that_differ_in_what_matters_are_all_written(pipe, clock):
    log.configure(descriptor=pipe.write)

    log.store_down("lease", "gone")
    log.store_down("restore", "gone")
    log.store_down("restore", "another error of the same outage")

    assert len(lines(pipe.read)) == 2


def test_information_is_never_collapsed(pipe, clock):
    log.configure(descriptor=pipe.write)

    for _ in range(3):
        log.store_up("lease", 1)

    assert len(lines(pipe.read)) == 3


def fill(send):
    """Log until the reader that does not read has cost lines."""
    for number in range(5000):
        log.worker_ended(role="worker", pid=number, reason="x" * 300)
        if log._journal.dropped:
            return
    raise AssertionError("5000 lines went nowhere")


def test_a_reader_that_stopped_reading_costs_lines_and_no_time(pipe):
    """Seen to hang with a plain os.write."""
    log.configure(descriptor=pipe.write)

    fill(pipe.write)
    lines(pipe.read)
    log.worker_ended(role="worker", pid=1, reason="back")

    dropped, back = lines(pipe.read)
    assert "1 log lines were dropped" in dropped
    assert back.endswith("back")


def test_a_stopped_journal_socket_costs_lines_too():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        log.configure(descriptor=ours.fileno())

        fill(ours.fileno())


def test_a_stopped_terminal_costs_lines_too():
    leader, follower = pty.openpty()
    log.configure(descriptor=follower)

    fill(follower)

    os.close(leader)
    os.close(follower)


def test_the_descriptor_itself_stays_as_its_other_users_know_it(pipe):
    log.configure(descriptor=pipe.write)
    log.worker_ended(role="worker", pid=1, reason="x")

    assert os.get_blocking(pipe.write)


def test_a_full_disk_stops_nothing():
    with open("/dev/full", "w") as full:
        log.configure(descriptor=full.fileno())

        log.worker_ended(role="worker", pid=1, reason="x")

    assert log._journal.dropped == 1


def test_every_call_in_the_package_gives_the_fields_of_its_event():
    """No line has a gap: positional values are as many as the text names, keywords are spelled as in the text."""
    wrong = []
    for path in Path(taskkitx.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or node.func.value.id != "log":
                continue
            event = getattr(log, node.func.attr, None)
            if not isinstance(event, log.Event):
                continue
            given = set(event.fields[: len(node.args)])
            given |= {word.arg for word in node.keywords if word.arg}
            spread = any(word.arg is None for word in node.keywords)  # **who: role and pid
            missing = set(event.fields) - given - ({"role", "pid"} if spread else set())
            if missing or given - set(event.fields):
                wrong.append(f"{path.name}:{node.lineno} {node.func.attr}: {missing}")
    assert wrong == []


def test_every_event_is_known_by_its_own_name():
    events = {name: value for name, value in vars(log).items() if isinstance(value, log.Event)}

    assert {name: event.name for name, event in events.items()} == {name: name for name in events}
