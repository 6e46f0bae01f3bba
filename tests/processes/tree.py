"""A supervisor in a process tree of its own, watched through its log, signalled and killed for real."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds a test waits for what should happen soon."""

Line = dict[str, Any]


class Tree:
    """One supervisor with its children, running an application file in a folder of its own."""

    def __init__(self, folder: Path, app: str, **config: Any) -> None:
        """`app`: the text of a module with a `kit`. `config`: for `tests.processes.run`."""
        self.folder = folder
        self.write_app(app)
        self.config = {"processes": 2, "groups": {"default": 2}, **config}
        self.lines: list[Line] = []
        self._news = threading.Condition()
        self.reading = threading.Event()
        """Cleared, the log is not read."""
        self.reading.set()

    def write_app(self, text: str) -> None:
        """What workers import from now on."""
        temporary = self.folder / "app.tmp"
        temporary.write_text(text)
        temporary.replace(self.folder / "app.py")

    def start(self, **environ: str) -> "Tree":
        """Fork and run it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.run", json.dumps(self.config)],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT), *sys.path]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "TASKKITX_RUN_DIR": str(self.folder / "run"),
                "TASKKITX_LOG_FORMAT": "json",
                "TEST_FOLDER": str(self.folder),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self.process.pid

    def _read(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            self.reading.wait()
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": "noise", "text": raw.decode(errors="replace").rstrip()}
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def seen(self, event: str, **fields: Any) -> list[Line]:
        """The lines so far about an event whose fields are these."""
        with self._news:
            return [line for line in self.lines if _matches(line, event, fields)]

    def wait(self, event: str, count: int = 1, timeout: float = PATIENCE, **fields: Any) -> Line:
        """Return the line when the event has been logged for the `count`th time."""
        deadline = time.monotonic() + timeout
        with self._news:
            while len(found := [x for x in self.lines if _matches(x, event, fields)]) < count:
                if not self._news.wait(deadline - time.monotonic()):
                    raise AssertionError(
                        f"no {event} {fields} (times {count}) within {timeout:g} s in:\n{self.text}"
                    )
            return found[count - 1]

    @property
    def text(self) -> str:
        """The log so far."""
        return "\n".join(str(line.get("text")) for line in self.lines)

    def store(self) -> list[Line]:
        """What the toy store was asked for."""
        path = self.folder / "store"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait_store(self, **fields: Any) -> Line:
        """The first such fact, once the store has been told."""
        found: list[Line] = self._poll(
            lambda: [f for f in self.store() if fields.items() <= f.items()], f"store: {fields}"
        )
        return found[0]

    def wait_file(self, name: str) -> None:
        """Return when the application has made this file."""
        self._poll((self.folder / name).exists, f"file: {name}")

    def wait_for(self, look: Callable[[], Any]) -> None:
        """Return when this is true of something that tells nobody when it changes."""
        self._poll(look, "such thing")

    def _poll(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.02)  # a file tells nobody when it changes
        raise AssertionError(f"no {what} within {PATIENCE:g} s in:\n{self.text}")

    @staticmethod
    def sleep(seconds: float) -> None:
        """Where what is tested is that nothing happens meanwhile."""
        time.sleep(seconds)

    def signal(self, number: signal.Signals) -> None:
        """To the supervisor."""
        os.kill(self.pid, number)

    @staticmethod
    def kill(pid: int) -> bool:
        """kill -9; whether it was still there."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def workers(self) -> list[int]:
        """The pids of workers that started and did not end, as the log tells."""
        return self._alive("worker_started")

    def _alive(self, event: str) -> list[int]:
        return [line["pid_"] for line in self.seen(event) if line["pid_"] in self.session()]

    def session(self) -> set[int]:
        """Every live process of this tree, orphans included."""
        pids = set[int]()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    stat = (folder / "stat").read_text()
                except OSError:
                    continue
                fields = stat[stat.rfind(")") + 2 :].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    pids.add(int(folder.name))
        return pids

    def exit(self, timeout: float = PATIENCE) -> int:
        """The exit code, once all of it has ended, within these seconds; its whole log has been read then."""
        deadline = time.monotonic() + timeout
        code = self.process.wait(timeout)
        while self.session() and time.monotonic() < deadline:
            time.sleep(0.02)  # the kernel says nothing when the last process of a session ends
        self._reader.join(max(1.0, deadline - time.monotonic()))
        return code

    def files_left(self) -> list[str]:
        """What is left in the run directory, but for locks, which stay."""
        return sorted(p.name for p in (self.folder / "run").iterdir() if p.suffix != ".lock")

    def close(self) -> None:
        """Leave nothing running."""
        if hasattr(self, "process"):
            for pid in self.session():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.wait()
            self._reader.join(PATIENCE)
            assert self.process.stderr is not None
            self.process.stderr.close()


def _matches(line: Line, event: str, fields: dict[str, Any]) -> bool:
    return line.get("event") == event and all(line.get(k) == v for k, v in fields.items())
