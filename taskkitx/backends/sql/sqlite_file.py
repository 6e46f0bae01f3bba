"""A SQLite file as a store: made when it is not there, checked when it is, upgraded under one write lock."""

import os
import sqlite3
from pathlib import Path

from taskkitx.backends.sql.connections import Connections
from taskkitx.backends.sql.migrate import create, upgrade
from taskkitx.backends.sql.sqlite_errors import is_broken
from taskkitx.backends.sql.version import VERSION
from taskkitx.errors import ConfigurationError, SchemaMismatch, StoreUnavailable

_NETWORK_FILE_SYSTEMS = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "fuse.sshfs",
    "9p",
    "ceph",
    "glusterfs",
)


def check_path(path: str, force: bool) -> None:
    """Refuse what SQLite could only fail at, or silently corrupt. Raises ConfigurationError."""
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise ConfigurationError(
            f"the SQLite file {path} cannot be made: there is no directory {directory}"
        )
    if os.path.isdir(path):
        raise ConfigurationError(f"the SQLite file {path} is a directory")
    if not os.access(path if os.path.exists(path) else directory, os.W_OK):
        raise ConfigurationError(f"the SQLite file {path} cannot be written by this user")
    kind = file_system_of(directory)
    if kind in _NETWORK_FILE_SYSTEMS and not force:
        raise ConfigurationError(
            f"the SQLite file {path} is on a network file system ({kind}), where locks do not hold; use a local disk "
            "or a database server, or add ?force=1 to the URL at your own risk"
        )


def file_system_of(directory: str) -> str:
    """The type of the file system a directory is on; empty where the system does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return ""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        point = fields[1].replace("\\040", " ")
        inside = directory == point or directory.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def prepare(connections: Connections, *, migrate: bool = True) -> None:
    """Make the schema what this code works with. Raises SchemaMismatch, StoreUnavailable or StoreRefused."""
    try:
        with connections.reading() as connection:
            found = version_of(connection)
    except StoreUnavailable as error:
        if is_broken(error.__cause__):
            raise ConfigurationError(str(error)) from None
        raise
    if found == VERSION:
        return
    if found is None:
        connections.initialise(create)
    elif found > VERSION:
        raise SchemaMismatch(
            f"the SQLite file {connections.path} has schema {found}, newer than the {VERSION} of this taskkitx: "
            "upgrade taskkitx (pip install --upgrade taskkitx); the file was left as it is"
        )
    elif migrate:
        connections.initialise(upgrade)
    else:
        raise SchemaMismatch(
            f"the SQLite file {connections.path} has schema {found}, this taskkitx needs {VERSION}: "
            "run `taskkitx migrate`"
        )


def version_of(connection: sqlite3.Connection) -> str | None:
    """The schema version a file says it has; None: it has none of our tables."""
    known = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'taskkitx_version'"
    ).fetchone()
    if known is None:
        return None
    row = connection.execute("SELECT version_num FROM taskkitx_version").fetchone()
    return None if row is None else str(row[0])
