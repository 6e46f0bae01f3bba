"""Private servers for tests, started from installed binaries in temporary folders on free ports, so that tests may
stop, kill and restart them. Fixtures in conftest.py hand them out; nothing here touches a server that runs already."""

import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from pwd import getpwnam
from typing import Any, ClassVar
from urllib.parse import urlsplit

import psycopg
import pymysql
import redis
from psycopg.conninfo import make_conninfo

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
NOT_READY = (psycopg.OperationalError, pymysql.OperationalError, redis.RedisError)


class ServerAbsent(Exception):
    """The machine has no such server; the message says what was looked for."""


class PrivateServer(ABC):
    """One server of our own, empty at first; it keeps its data from `start` to `start`, kills included."""

    accounts: ClassVar[tuple[str, ...]] = ("nobody",)
    """Whom to run as when the tests run as root, first match."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        """Find the binaries (or raise ServerAbsent) and make an empty server; it does not run yet."""
        self.binaries = self.find_binaries()
        self.account = next(filter(_exists, self.accounts)) if os.geteuid() == 0 else None
        self.port = _free_port()
        # not below pytest's folder: an unprivileged account could not enter it, and socket paths must be short
        self.folder = Path(tempfile.mkdtemp(prefix="taskkitx-"))
        if self.account is not None:
            shutil.chown(self.folder, self.account)
        self.socket = self.folder / "socket"
        self.process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count(1)
        self.initialise()

    @abstractmethod
    def find_binaries(self) -> Path:
        """The folder of the server's programs; raises ServerAbsent."""

    @abstractmethod
    def initialise(self) -> None:
        """Lay out an empty data folder."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """What runs the server in the foreground."""

    @abstractmethod
    def ping(self) -> None:
        """Return when the server answers; raise when it does not yet.

        Asked by way of its own socket file: by its port, a stranger could answer that took it meanwhile.
        """

    @abstractmethod
    def fresh_url(self) -> str:
        """The URL of a new and empty database on this server, which has to run."""

    @property
    def running(self) -> bool:
        """Whether the server's main process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The main process, for signals."""
        assert self.process is not None, "the server has not been started"
        return self.process.pid

    def start(self) -> None:
        """Run it and return when it answers; nothing happens when it runs already."""
        if self.running:
            return
        give_up = time.monotonic() + START_TIMEOUT
        while (trouble := self._try_to_start()) is not None:
            if time.monotonic() > give_up:
                self.kill()
                program = self.command()[0]
                raise RuntimeError(f"{program} did not start:\n{self.log()}") from trouble
            time.sleep(0.02)

    def _try_to_start(self) -> Exception | None:
        """Run it unless it runs, and ask it; after a kill, the first tries may meet what is left of before."""
        if not self.running:
            self.process = self._spawn(self.command())
        try:
            self.ping()
        except NOT_READY as error:
            return error
        return None

    def stop(self) -> None:
        """End it in good order; clients are cut off."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it as a power cut would, but for the operating system's buffers."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """The end of what the server printed."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def run(self, *command: str | Path) -> None:
        """Run one of the server's tools to its end."""
        process = self._spawn(command)
        if process.wait(START_TIMEOUT) != 0:
            raise RuntimeError(f"{command[0]} failed:\n{self.log()}")

    def _spawn(self, command: Iterable[str | Path]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.folder)},
                user=self.account,
                group=None if self.account is None else getpwnam(self.account).pw_gid,
                extra_groups=None if self.account is None else [],
                preexec_fn=_die_with_parent if _in_main_thread() else None,
            )

    def _end(self, how: signal.Signals) -> None:
        if self.process is None or not self.running:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT)
            raise


class Postgres(PrivateServer):
    """A PostgreSQL cluster. `fsync` is off: it survives kills of its processes, not of the machine."""

    accounts = ("postgres", "nobody")
    stop_signal = signal.SIGINT  # "fast": TERM would wait for clients to leave

    def find_binaries(self) -> Path:
        return _folder_of("initdb", Path("/usr/lib/postgresql").glob("*/bin"))

    def initialise(self) -> None:
        self.run(
            *(self.binaries / "initdb", "--pgdata", self.folder / "data", "--username", "postgres"),
            *("--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )

    def command(self) -> list[str | Path]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "max_connections": 100,
            "shared_buffers": "32MB",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.binaries / "postgres", "-D", self.folder / "data", *options]

    def ping(self) -> None:
        place = {"host": str(self.folder), "port": str(self.port), "user": "postgres"}
        psycopg.connect(make_conninfo("", **place), connect_timeout=5).close()

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def fresh_url(self) -> str:
        name = f"test_{next(self._databases)}"
        with closing(psycopg.connect(self.url("postgres"), autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


class MariaDB(PrivateServer):
    """A MariaDB server. Its log is written but not synced at commit: it survives kills of its process."""

    accounts = ("mysql", "nobody")

    def find_binaries(self) -> Path:
        return _folder_of("mariadbd", [Path("/usr/sbin"), Path("/usr/libexec")])

    def initialise(self) -> None:
        installer = _folder_of("mariadb-install-db", [Path("/usr/bin")]) / "mariadb-install-db"
        self.run(
            *(installer, "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )

    def command(self) -> list[str | Path]:
        settings = {
            "datadir": self.folder / "data",
            "tmpdir": self.folder,  # another server that starts would delete our temporary tables in /tmp
            "socket": self.socket,
            "port": self.port,
            "bind-address": "127.0.0.1",
            "pid-file": self.folder / "pid",
            "innodb-buffer-pool-size": "64M",
            "innodb-log-file-size": "64M",
            "innodb-flush-log-at-trx-commit": 2,
            "character-set-server": "utf8mb4",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.binaries / "mariadbd", "--no-defaults", "--skip-name-resolve", *options]

    def ping(self) -> None:
        pymysql.connect(unix_socket=str(self.socket), user="root", connect_timeout=5).close()

    def url(self, database: str) -> str:
        """The URL of a database, for a user who owns it and nothing else."""
        return f"mysql://app@127.0.0.1:{self.port}/{database}"

    def fresh_url(self) -> str:
        name = f"test_{next(self._databases)}"
        with closing(connect_plainly(self.url(""))) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute("CREATE USER IF NOT EXISTS app@'127.0.0.1'")
            cursor.execute(f"GRANT ALL ON {name}.* TO app@'127.0.0.1'")
        return self.url(name)


def forget_everything(url: str) -> None:
    """Empty the tables of a store on a server. For few rows, DELETE is many times faster than TRUNCATE."""
    with closing(connect_plainly(url)) as connection, connection.cursor() as cursor:
        for table in ("task", "attempt", "worker", "pause", "scheduler", "event"):
            cursor.execute(f"DELETE FROM taskkitx_{table}")


def connect_plainly(url: str) -> Any:
    """The driver's own connection to a database of a private server, as its administrator, in autocommit mode."""
    if url.startswith("postgresql"):
        return psycopg.connect(url, autocommit=True)
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 0,
        user="root",
        database=parts.path.removeprefix("/") or None,
        connect_timeout=5,
        autocommit=True,
    )


class Redis(PrivateServer):
    """A Redis server with an append-only file that is written at once but never synced: it survives kills of its
    process (with everysec, a slow sync may hold writes back for two seconds)."""

    DATABASES = 64

    def find_binaries(self) -> Path:
        return _folder_of("redis-server", [Path("/usr/bin"), Path("/usr/local/bin")])

    def initialise(self) -> None:
        """It needs nothing but its folder."""

    def command(self) -> list[str | Path]:
        return [
            *(self.binaries / "redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
            *(
                "--unixsocket",
                self.socket,
                "--dir",
                self.folder,
                "--databases",
                str(self.DATABASES),
            ),
            *("--appendonly", "yes", "--appendfsync", "no", "--save", ""),
        ]

    def ping(self) -> None:
        with closing(redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)) as client:
            client.ping()

    def _client(self, database: int) -> redis.Redis:
        return redis.Redis(port=self.port, db=database, socket_timeout=5)

    def fresh_url(self) -> str:
        database = next(self._databases) % self.DATABASES
        with closing(self._client(database)) as client:
            client.flushdb()
        return f"redis://127.0.0.1:{self.port}/{database}"


def _folder_of(program: str, places: Iterable[Path]) -> Path:
    """The last of the places (they sort by version) that has the program, else where PATH has it."""
    found = [place for place in sorted(places) if (place / program).exists()]
    on_path = shutil.which(program)
    if found:
        return found[-1]
    if on_path is not None:
        return Path(on_path).resolve().parent
    raise ServerAbsent(f"no {program} on PATH nor where Debian puts it")


def _exists(account: str) -> bool:
    with suppress(KeyError):
        getpwnam(account)
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _die_with_parent() -> None:
    """In the child: no server outlives a killed test run. The parent is a thread, so only the main one will do."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
