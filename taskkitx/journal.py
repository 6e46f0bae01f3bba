"""How a line is written: rendered as text or JSON, collapsed when the same trouble repeats, and sent by a single write
that never blocks. What the lines say is `log`'s.

Of warnings and errors that repeat the first is written, then one line per ten seconds with a count. A log reader that
has stopped reading costs lines, never work.
"""

import json
import os
import select
import socket
import stat
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

MAX_LINE = 4096
"""What a pipe takes whole or not at all (PIPE_BUF on Linux)."""
COLLAPSE_FOR = 10.0
"""Seconds between two lines about the same trouble."""
_MAX_TROUBLES = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """What all lines about one thing have in common."""

    level: Level
    name: str
    text: str
    alike: tuple[str, ...] | None = None
    """The fields that make two of these warnings the same trouble; None: all of them."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in the text, in order."""
        names = (name for _, name, _, _ in string.Formatter().parse(self.text) if name)
        return tuple(dict.fromkeys(names))


@dataclass(slots=True)
class _Trouble:
    """How often one warning has come since it was last written."""

    kind: Kind
    fields: dict[str, object]
    written: float
    hidden: int = 0


@dataclass(slots=True)
class Journal:
    """Where lines go, and which troubles have just been written."""

    lines_dropped: Kind
    """What is said once lines get through again, with their `count`."""
    json: bool = False
    threshold: int = 1
    send: Callable[[bytes], None] | None = None
    close: Callable[[], None] | None = None
    """Gives back what sending has opened."""
    dropped: int = 0
    troubles: dict[tuple[object, ...], _Trouble] = field(
        default_factory=dict[tuple[object, ...], _Trouble]
    )
    lock: threading.Lock = field(default_factory=threading.Lock)

    def configure(self, format: str, level: str, descriptor: int | None) -> None:
        """From now on write lines of at least `level` in this format to `descriptor` (None: standard error)."""
        with self.lock:
            self.json = format == "json"
            self.threshold = [*LEVELS, level].index(level)
            if self.close is not None:
                self.close()
            self.send, self.close = _sender(2 if descriptor is None else descriptor)

    def write(self, kind: Kind, fields: dict[str, object]) -> None:
        """Write one line, unless the same trouble has just been written."""
        with self.lock:
            now = time.monotonic()
            self._settle(now)
            if kind.level in ("warning", "error") and self._hide(kind, fields, now):
                return
            self._line(kind, fields)

    def _hide(self, kind: Kind, fields: dict[str, object], now: float) -> bool:
        """Whether the same trouble was written less than ten seconds ago; counts it then."""
        alike = fields if kind.alike is None else kind.alike
        key = (kind.name, *(str(fields.get(name)) for name in alike))
        trouble = self.troubles.get(key)
        if trouble is not None:
            trouble.hidden += 1
            trouble.fields = fields
            return True
        if len(self.troubles) < _MAX_TROUBLES:
            self.troubles[key] = _Trouble(kind, fields, now)
        return False

    def _settle(self, now: float) -> None:
        """Write one line, with its count, about each trouble hidden for ten seconds; forget those that ended."""
        for key, trouble in list(self.troubles.items()):
            if now - trouble.written < COLLAPSE_FOR:
                break  # in order of `written`: the rest is younger
            del self.troubles[key]
            if trouble.hidden:
                self._line(trouble.kind, trouble.fields | {"repeated": trouble.hidden})
                self.troubles[key] = _Trouble(trouble.kind, trouble.fields, now)

    def _line(self, kind: Kind, fields: dict[str, object]) -> None:
        if self.send is None:
            self.send, self.close = _sender(2)
        if self.dropped and self._try(self.lines_dropped, {"count": self.dropped}):
            self.dropped = 0
        if not self._try(kind, fields):
            self.dropped += 1

    def _try(self, kind: Kind, fields: dict[str, object]) -> bool:
        assert self.send is not None
        try:
            self.send(render(kind, fields, as_json=self.json))
        except OSError:  # a full pipe, a closed terminal, a full disk: work goes on
            return False
        return True

    def start_afresh(self) -> None:
        """In a child: another thread of the parent may have held the lock, and its troubles are its own."""
        self.lock = threading.Lock()
        self.troubles = {}
        self.dropped = 0


def render(kind: Kind, fields: dict[str, object], *, as_json: bool) -> bytes:
    """The line, newline included, at most MAX_LINE bytes long."""
    try:
        text = kind.text.format_map(fields)
    except (KeyError, ValueError, TypeError):  # a mistake in a line must not become one in the work
        text = f"{kind.text} {fields}"
    if repeated := fields.get("repeated"):
        text += f" (and {repeated} times more)"
    moment = datetime.now(UTC)
    if as_json:
        return _as_json(kind, fields, text, moment)
    head = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z {kind.level} [{os.getpid()}] "
    # A traceback stays one kind: its further lines are indented.
    line = (head + text.rstrip("\n").replace("\n", "\n  ")).encode(errors="backslashreplace")
    if len(line) >= MAX_LINE:
        line = line[: MAX_LINE - 5].decode(errors="ignore").encode() + "…".encode()
    return line + b"\n"


def _as_json(kind: Kind, fields: dict[str, object], text: str, moment: datetime) -> bytes:
    line: dict[str, object] = {
        "time": moment.isoformat(timespec="milliseconds"),
        "level": kind.level,
        "event": kind.name,
        "pid": os.getpid(),
        "text": text,
    }
    line |= {f"{name}_" if name in line else name: value for name, value in fields.items()}
    while len(encoded := json.dumps(line, default=str)) >= MAX_LINE:  # shorten, and stay valid JSON
        longest = max(line, key=lambda name: len(json.dumps(line[name], default=str)))
        line[longest] = str(line[longest])[: len(str(line[longest])) // 2]
    return encoded.encode() + b"\n"


def _sender(descriptor: int) -> tuple[Callable[[bytes], None], Callable[[], None] | None]:
    """How to write to this descriptor without ever waiting, which raises OSError where a line would not fit; and how
    to give back what was opened for it.

    The descriptor itself must not be made non-blocking: that would reach everybody who shares it, the shell too.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        peer = socket.socket(fileno=os.dup(descriptor))
        return lambda line: _whole(peer.send(line, socket.MSG_DONTWAIT), line), peer.close
    if stat.S_ISREG(mode):
        return lambda line: _whole(os.write(descriptor, line), line), None
    try:
        own = os.open(
            f"/dev/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        )
    except OSError:
        return lambda line: _write_if_ready(descriptor, line), None
    return lambda line: _whole(os.write(own, line), line), lambda: os.close(own)


def _write_if_ready(descriptor: int, line: bytes) -> None:
    if not select.select([], [descriptor], [], 0)[1]:
        raise BlockingIOError
    _whole(os.write(descriptor, line), line)


def _whole(written: int, line: bytes) -> None:
    if written < len(line):
        raise BlockingIOError
