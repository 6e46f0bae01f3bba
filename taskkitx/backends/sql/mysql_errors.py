"""What MySQL's error numbers mean for whoever meets them. Both drivers give the number first."""

from typing import Any

from taskkitx.backends.sql.server import Trouble
from taskkitx.errors import ConfigurationError, StoreError, StoreRefused, StoreUnavailable

DUPLICATE = 1062
NO_TABLE = 1146
DENIED = (1044, 1142, 1143, 1227, 1370)
_PACKET_TOO_LARGE = 1153
_READ_ONLY = (1290, 1792, 1836)
_CONFLICTS = (1020, 1205, 1213)
"""Changed since it was read (snapshot isolation of MariaDB), lock wait timeout, deadlock."""
_BROKEN = (0, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 2006, 2013, 2014)
"""Closed, shutting down, killed, lost, out of step."""
_BROKEN_LATE = (1969, 2027, 2055, 3024, 3169, 4031)
_LATER = (3, 6, 28, 1021, 1023, 1026, 1030, 1037, 1038, 1040, 1041, 1114, 1129, 1135, 1203, 1226)
"""No room, no memory, too many connections, or the files' trouble."""
_CANNOT_CONNECT = (2002, 2003, 2005)
_NEVER_CONNECTS = {
    1044: "check the database in the URL, or grant the user its rights there",
    1045: "check the user and the password in the URL",
    1049: "create the database first (CREATE DATABASE), or check its name in the URL",
    1130: "the server does not let anybody in from this host: create the user for it",
    1251: "the driver does not know this user's way to log in: use mysql_native_password or caching_sha2_password",
    1698: "this user logs in without a password, by a socket (auth_socket): use another user",
    2059: "the driver does not know this user's way to log in: use mysql_native_password or caching_sha2_password",
    2061: "the user's way to log in needs TLS (ssl_ca= in the URL) or pip install 'pymysql[rsa]'",
}


class PacketTooLarge(Exception):
    """A statement that the server's `max_allowed_packet` does not admit; it was not sent."""


def number(error: BaseException | None) -> int | None:
    """The server's or the client library's number of an error; None for what has none."""
    arguments: tuple[Any, ...] = getattr(error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def trouble(error: Exception) -> Trouble:
    """What this error asks for."""
    code = number(error)
    if code is None and type(error).__name__ == "InternalError":
        return (
            Trouble.BROKEN
        )  # the driver could not read the answer: where the next one begins is unknown
    if code in _CONFLICTS:
        return Trouble.CONFLICT
    # A read-only server is no primary any more: look for the new one.
    if code in _BROKEN or code in _BROKEN_LATE or code in _READ_ONLY:
        return Trouble.BROKEN
    if code in _LATER or code in _CANNOT_CONNECT:
        return Trouble.LATER
    return Trouble.NEVER


def translated(error: Exception, where: str) -> StoreError:
    """The same fact as an error of ours."""
    code, said = number(error), text(error)
    if isinstance(error, PacketTooLarge) or code == _PACKET_TOO_LARGE:
        return StoreRefused(
            f"{where} takes no packet as large as this ({said}): keep large data elsewhere and put its address into "
            "the task, or raise max_allowed_packet on the server"
        )
    if code in _READ_ONLY:
        return StoreUnavailable(f"{where} is read-only: it is a replica, or a failover is going on")
    if code in DENIED:
        return StoreUnavailable(
            f"{where} does not allow this user to do it ({said}): grant SELECT, INSERT, UPDATE and DELETE on its tables"
        )
    if code == NO_TABLE:
        return StoreUnavailable(f"{where} lacks our tables ({said}): run `taskkitx migrate`")
    if trouble(error) is Trouble.NEVER and code not in _NEVER_CONNECTS:
        return StoreRefused(f"{where} refuses this ({said})")
    return StoreUnavailable(f"{where} does not answer: {said}")


def why_never(error: BaseException | None, where: str) -> ConfigurationError | None:
    """The error of a first connection that no waiting will mend, if it is one."""
    advice = _NEVER_CONNECTS.get(number(error) or 0)
    if advice is None:
        return None
    return ConfigurationError(f"{where} refuses us ({text(error)}): {advice}")


def text(error: BaseException | None) -> str:
    """What the server or the driver said, with its number."""
    code = number(error)
    arguments: tuple[Any, ...] = getattr(error, "args", ())
    said = str(arguments[1]) if code is not None and len(arguments) > 1 else str(error)
    line = " ".join(said.split()) or type(error).__name__
    return f"{line} [{code}]" if code else line
