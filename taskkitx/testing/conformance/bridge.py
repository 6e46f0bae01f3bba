"""What `taskkitx.event` promises of an event bridge, as tests that any bridge can inherit."""

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from taskkitx.event import ControlEvent, EventBridge

MakeBridge = Callable[[], EventBridge]
DEADLINE = 10.0

EVENTS: list[ControlEvent] = [
    {"name": "shutdown", "groups": None},
    {"name": "pause", "groups": ["a", "é", "a b"]},
    {"name": "resume", "groups": []},
]


class Listener:
    """Receives in a thread of its own, from the moment it is made."""

    def __init__(self, bridge: EventBridge) -> None:
        """Events sent from now on are received."""
        self._events = bridge.receive_events()
        self._received: queue.SimpleQueue[ControlEvent] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._receive, daemon=True)

    def _receive(self) -> None:
        for event in self._events:
            self._received.put(event)

    def receives(self, expected: list[ControlEvent]) -> bool:
        """Whether these come in this order before the deadline; none but repeated ones may come between."""
        if not self.thread.ident:
            self.thread.start()
        for number, event in enumerate(expected):
            while (received := self._next()) != event:
                if received not in expected[:number]:
                    return False
        return True

    def _next(self) -> ControlEvent | None:
        try:
            return self._received.get(timeout=DEADLINE)
        except queue.Empty:
            return None


class BridgeConformance:
    """Everything a bridge promises. Inherit it in a class whose name begins with Test, and give `make_bridge`."""

    @pytest.fixture
    def make_bridge(self) -> MakeBridge:
        """Required: opens one more bridge on the same store, fresh for each test; bridges are like processes."""
        raise NotImplementedError("a conformance class gives a make_bridge fixture")

    @pytest.fixture
    def open_bridge(self, make_bridge: MakeBridge) -> Iterator[MakeBridge]:
        """One more bridge, closed after the test."""
        opened: list[EventBridge] = []

        def open_one() -> EventBridge:
            opened.append(make_bridge())
            return opened[-1]

        yield open_one
        for bridge in opened:
            bridge.close()

    def test_every_listener_receives_every_event(self, open_bridge: MakeBridge) -> None:
        sender = open_bridge()
        listeners = [Listener(open_bridge()) for _ in range(3)]

        for event in EVENTS:
            sender.send_event(event)

        assert all(listener.receives(EVENTS) for listener in listeners)

    def test_a_sender_receives_its_own_events(self, open_bridge: MakeBridge) -> None:
        bridge = open_bridge()
        listener = Listener(bridge)

        bridge.send_event(EVENTS[0])

        assert listener.receives(EVENTS[:1])

    def test_equal_events_are_events_of_their_own(self, open_bridge: MakeBridge) -> None:
        sender, listener = open_bridge(), Listener(open_bridge())

        for _ in range(5):
            sender.send_event(EVENTS[1])

        assert listener.receives([EVENTS[1]] * 5)

    def test_the_past_is_not_received(self, open_bridge: MakeBridge) -> None:
        sender = open_bridge()
        sender.send_event(EVENTS[0])
        listener = Listener(open_bridge())

        sender.send_event(EVENTS[1])

        assert listener.receives([EVENTS[1]])

    def test_events_wait_while_the_last_one_is_dealt_with(self, open_bridge: MakeBridge) -> None:
        sender, receiver = open_bridge(), open_bridge()
        events = receiver.receive_events()
        sender.send_event(EVENTS[0])
        first = next(events)

        for event in EVENTS:
            sender.send_event(event)

        assert first == EVENTS[0]
        assert [next(events) for _ in EVENTS] == EVENTS

    def test_closing_ends_what_waits(self, open_bridge: MakeBridge) -> None:
        sender, receiver = open_bridge(), open_bridge()
        listeners = [Listener(receiver), Listener(receiver)]
        sender.send_event(EVENTS[0])
        assert all(listener.receives(EVENTS[:1]) for listener in listeners)

        receiver.close()

        for listener in listeners:
            listener.thread.join(DEADLINE)
        assert not any(listener.thread.is_alive() for listener in listeners)

    def test_closing_one_bridge_leaves_the_others(self, open_bridge: MakeBridge) -> None:
        sender, closed, listener = open_bridge(), open_bridge(), Listener(open_bridge())
        closed.close()
        closed.close()

        sender.send_event(EVENTS[0])

        assert listener.receives(EVENTS[:1])
