"""The Lua scripts: each file of `lua/` whose first line names what it needs, put together and known by its SHA1."""

import hashlib
from functools import cache
from importlib import resources


class Script:
    """One script as Redis knows it."""

    def __init__(self, name: str) -> None:
        """Read it and what it needs."""
        own = _source(name)
        needs = own.split("\n", 1)[0].removeprefix("-- needs: ").split()
        self.name = name
        self.source = "\n".join([*map(_source, needs), own]).encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()


@cache
def script(name: str) -> Script:
    """The script of this name."""
    return Script(name)


@cache
def _source(name: str) -> str:
    return (
        resources.files("taskkitx.backends.redis").joinpath("lua", f"{name}.lua").read_text("utf-8")
    )
