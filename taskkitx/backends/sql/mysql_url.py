"""What a MySQL URL says: the server, our own options, and the few of the driver's that people need."""

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from taskkitx import process
from taskkitx.backends.sql.schema_names import PREFIX, Naming
from taskkitx.backends.sql.server import POOL
from taskkitx.errors import ConfigurationError

_OPTIONS = ("prefix", "pool", "unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "charset")
_CHARSET = "utf8mb4"


@dataclass(frozen=True, slots=True)
class MySqlUrl:
    """`mysql://user:password@host:port/database?prefix=&pool=&unix_socket=&ssl_ca=&ssl_cert=&ssl_key=`."""

    url: str
    driver: str
    """`pymysql` or `MySQLdb`."""
    host: str
    port: int
    user: str | None
    password: str
    database: str
    unix_socket: str | None
    ssl: dict[str, str]
    naming: Naming
    pool: int

    @classmethod
    def parse(cls, url: str) -> "MySqlUrl":
        """Raises ConfigurationError."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        _check_options(options)
        database = unquote(parts.path.removeprefix("/"))
        if not database:
            raise ConfigurationError(
                "the store's URL names no database: write mysql://user:password@host/database"
            )
        return cls(
            url,
            "MySQLdb" if parts.scheme.endswith("+mysqldb") else "pymysql",
            parts.hostname or "localhost",
            _port(url),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password or ""),
            database,
            options.get("unix_socket"),
            {name[4:]: value for name, value in options.items() if name.startswith("ssl_")},
            Naming(options.get("prefix", PREFIX)),
            int(options.get("pool", POOL)),
        )

    def arguments(self) -> dict[str, Any]:
        """What the driver is given to connect with."""
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "password": self.password,
            "database": self.database,
            "charset": _CHARSET,
        }
        if self.user is not None:
            arguments["user"] = self.user
        if self.unix_socket is not None:
            arguments["unix_socket"] = self.unix_socket
        if self.ssl:
            arguments["ssl"] = self.ssl
        return arguments

    @property
    def where(self) -> str:
        """The database, for people."""
        return f"the MySQL database {self.database} on {self.unix_socket or f'{self.host}:{self.port}'}"

    @property
    def hints_directory(self) -> str:
        """Where the processes of this user that use this database meet."""
        place = self.unix_socket or f"{self.host}:{self.port}"
        what = f"{place}/{self.database} {self.naming.table('')}"
        name = hashlib.blake2b(what.encode(), digest_size=8).hexdigest()
        return str(process.run_directory() / f"hints-{name}")


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or 3306
    except ValueError:
        raise ConfigurationError(
            "the port in the store's URL is no number between 1 and 65535"
        ) from None


def _check_options(options: dict[str, str]) -> None:
    if unknown := sorted(options.keys() - set(_OPTIONS)):
        raise ConfigurationError(
            f"{unknown[0]}= in the store's URL: known are {', '.join(f'{name}=' for name in _OPTIONS)}"
        )
    pool = options.get("pool", "1")
    if not pool.isdigit() or int(pool) < 1:
        raise ConfigurationError(
            f"pool={pool} in the store's URL: it is a number of connections, at least 1"
        )
    if options.get("charset", _CHARSET) != _CHARSET:
        raise ConfigurationError(
            f"charset={options['charset']} in the store's URL: it is always {_CHARSET}"
        )
