"""Headers as stores keep them: a JSON object of texts."""

import json
from collections.abc import Mapping
from typing import cast


def write_headers(headers: Mapping[str, str] | None) -> str | None:
    """What is kept; None: nothing."""
    return None if headers is None else json.dumps(dict(headers))


def read_headers(kept: str | bytes) -> dict[str, str]:
    """And back. Raises ValueError where somebody else has written something else."""
    try:
        headers: object = json.loads(kept)
    except (ValueError, RecursionError):
        headers = None
    if isinstance(headers, dict):
        texts = cast("dict[str, object]", headers)
        if all(isinstance(text, str) for text in texts.values()):
            return cast("dict[str, str]", texts)
    raise ValueError(f"its headers are {kept[:60]!r}, not a JSON object of texts")
