"""The service manager's protocol, as it arrives at a fake manager's socket."""

import os
import socket

import pytest

from taskkitx.supervisor.systemd import Notifier


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0)
        yield manager


def received(manager):
    datagrams = []
    while True:
        try:
            datagrams.append(manager.recv(4096).decode())
        except BlockingIOError:
            return datagrams


def notifier(manager, **environ):
    return Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname(), **environ})


def test_each_state_is_one_datagram(manager):
    told = notifier(manager)

    told.ready()
    told.stopping()

    assert received(manager) == ["READY=1", "STOPPING=1"]


def test_a_reload_carries_its_moment(manager):
    notifier(manager).reloading()

    (datagram,) = received(manager)
    reloading, moment = datagram.split("\n")
    assert reloading == "RELOADING=1"
    assert moment.startswith("MONOTONIC_USEC=")
    assert moment.partition("=")[2].isdigit()


def test_a_status_is_sent_when_it_changes(manager):
    told = notifier(manager)

    told.status("2 ready")
    told.status("2 ready")
    told.status("1 ready")

    assert received(manager) == ["STATUS=2 ready", "STATUS=1 ready"]


def test_more_time_is_asked_for_once_a_second(manager):
    told = notifier(manager)

    for moment in (10.0, 10.5, 11.0, 11.9):
        told.extend(moment)

    assert received(manager) == ["EXTEND_TIMEOUT_USEC=5000000"] * 2


def test_the_watchdog_is_fed_three_times_per_interval(manager):
    told = notifier(manager, WATCHDOG_USEC="3000000")

    for moment in (10.0, 10.5, 11.0, 12.0):
        told.progress(moment)

    assert told.watchdog == 1.0
    assert received(manager) == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid() + 1)},
    ],
)
def test_a_watchdog_nobody_waits_for_is_not_fed(manager, environ):
    told = notifier(manager, **environ)

    told.progress(10.0)

    assert received(manager) == []


def test_an_abstract_socket_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"taskkitx-test-{os.getpid()}"
        manager.bind(f"\0{name}")

        Notifier(f"@{name}").ready()

        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@nobody-listens-here"])
def test_a_manager_that_does_not_listen_stops_nothing(address):
    Notifier(address).ready()
