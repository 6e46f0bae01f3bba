"""Control events: what an operator tells every process of a store, and the bridge that carries it."""

import json
from collections.abc import Iterator
from typing import Literal, Protocol, TypedDict, cast


class Shutdown(TypedDict):
    """Drain and end: whole trees when `groups` is None, else only these groups' threads."""

    name: Literal["shutdown"]
    groups: list[str] | None


class Pause(TypedDict):
    """These groups (None: all) were paused; the store already claims nothing for them."""

    name: Literal["pause"]
    groups: list[str] | None


class Resume(TypedDict):
    """These groups (None: all) were resumed: look for work now."""

    name: Literal["resume"]
    groups: list[str] | None


ControlEvent = Shutdown | Pause | Resume


class EventBridge(Protocol):
    """Carries control events to every process that listens on the same store, at least once each while it listens."""

    def receive_events(self) -> Iterator[ControlEvent]:
        """Events sent from now on, blocking for the next one; ends after `close`.

        Store trouble ends no iteration: it is waited out, and events sent meanwhile are delivered afterwards where
        the store kept them.
        """
        ...

    def send_event(self, event: ControlEvent) -> None:
        """Hand the event to the store. Raises StoreUnavailable."""
        ...

    def close(self) -> None:
        """End every iteration of this bridge in this process."""
        ...


def encode_control_event(event: ControlEvent) -> bytes:
    """The event as stored."""
    return json.dumps(event).encode()


def decode_control_event(encoded: bytes) -> ControlEvent | None:
    """The stored event, or None for bytes that another version may understand."""
    try:
        decoded = json.loads(encoded)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(decoded, dict):
        return None
    event = cast("dict[str, object]", decoded)
    groups = event.get("groups")
    if event.get("name") not in ("shutdown", "pause", "resume") or not _are_groups(groups):
        return None
    return cast("ControlEvent", {"name": event["name"], "groups": groups})


def _are_groups(value: object) -> bool:
    if not isinstance(value, list):
        return value is None
    return all(isinstance(group, str) for group in cast("list[object]", value))
