"""Control events as stored."""

import json

import pytest

from taskkitx.event import decode_control_event, encode_control_event


@pytest.mark.parametrize("name", ["shutdown", "pause", "resume"])
@pytest.mark.parametrize("groups", [None, [], ["a", "é", "a b"]])
def test_an_event_comes_back_as_it_was(name, groups):
    event = {"name": name, "groups": groups}

    assert decode_control_event(encode_control_event(event)) == event  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"pause"',
        b"{}",
        b'{"name": "restart", "groups": null}',
        b'{"name": ["pause"], "groups": null}',
        b'{"groups": ["a"]}',
        b'{"name": "pause", "groups": "a"}',
        b'{"name": "pause", "groups": ["a", 1]}',
        b'{"name": "pause", "groups": {}}',
        b"[" * 100_000,
        5,
    ],
)
def test_what_another_version_wrote_is_no_event(stored):
    assert decode_control_event(stored) is None


def test_no_groups_means_all():
    assert decode_control_event(b'{"name": "pause"}') == {"name": "pause", "groups": None}


def test_fields_of_later_versions_are_ignored():
    stored = json.dumps({"name": "pause", "groups": ["a"], "by": "somebody"}).encode()

    assert decode_control_event(stored) == {"name": "pause", "groups": ["a"]}
