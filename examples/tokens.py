"""The demo's application: one task per Python file, which it tokenizes to count lines and tokens."""

import json
import os
import time
import tokenize
from pathlib import Path
from typing import TypedDict

from taskkitx import Kit, Task, TaskHandler, make_kit


class Counts(TypedDict):
    """What is counted in one file."""

    file: str
    lines: int
    tokens: int
    seconds: float


def count(path: str) -> Counts:
    began = time.perf_counter()
    tokens = 0
    try:
        with tokenize.open(path) as source:
            tokens = sum(1 for _ in tokenize.generate_tokens(source.readline))
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        pass  # the library's own tests hold files that are broken on purpose; their lines count all the same
    lines = Path(path).read_bytes().count(b"\n")
    return Counts(file=path, lines=lines, tokens=tokens, seconds=time.perf_counter() - began)


class Tokens(TaskHandler[str, Counts]):
    """Counts the file that a task names."""

    def handle(self, task: Task) -> Counts:
        path: str = json.loads(task.data)
        note_start(task)
        return count(path)

    def get_retry_interval(self, task: Task, exception: BaseException) -> float | None:
        return None

    def encode_data(self, group: str, task_name: str, data: str) -> bytes:
        return json.dumps(data).encode()

    def encode_result(self, task: Task, result: Counts) -> bytes:
        return json.dumps(result).encode()

    def decode_result(self, task: Task, encoded: bytes) -> Counts:
        counts: Counts = json.loads(encoded)
        return counts


def note_start(task: Task) -> None:
    """One line per attempt in a ledger outside the store: what really ran, when, and where."""
    ledger = os.environ.get("TOKENS_LEDGER")
    if ledger:
        line = f"{task.id} {task.attempt} {os.getpid()} {time.monotonic():.6f}\n"
        descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line.encode())
        os.close(descriptor)


kit: Kit[str, Counts] = make_kit(Tokens())
