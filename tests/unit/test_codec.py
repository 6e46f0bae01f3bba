"""JSON gives back what it took, or refuses it by its path."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkitx.codec import JSONCodec
from taskkitx.errors import DecodeError, EncodeError

codec = JSONCodec()
texts = st.text(st.characters(codec="utf-8"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


@given(values)
def test_what_is_taken_comes_back(value):
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"args": [1, {"when": datetime(2024, 1, 1)}]}, r"value\.args\[1\]\.when is a datetime"),
        ((1, 2), "value is a tuple"),
        ([float("nan")], r"value\[0\] is nan"),
        ({1: "a"}, "value has the key 1"),
        ([b"x"], r"value\[0\] is a bytes"),
        ({"a": "\ud800"}, r"value\.a holds a lone surrogate"),
    ],
)
def test_what_would_change_is_refused_by_its_path(value, path):
    with pytest.raises(EncodeError, match=path):
        codec.encode(value)


def test_a_recursion_bomb_is_refused():
    bomb: list[object] = []
    bomb.append(bomb)

    with pytest.raises(EncodeError, match="nested more than"):
        codec.encode(bomb)


def test_bytes_that_are_no_json_are_refused():
    with pytest.raises(DecodeError, match="is not JSON"):
        codec.decode(b"\x80{")
