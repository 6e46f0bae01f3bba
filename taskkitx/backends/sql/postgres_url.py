"""What a Postgres URL says: the server, and our own options beside libpq's."""

import hashlib
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from taskkitx import process
from taskkitx.backends.sql.schema_names import PREFIX, Naming
from taskkitx.backends.sql.server import POOL
from taskkitx.errors import ConfigurationError

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_OURS = ("schema", "prefix", "pool", "pooler", "listen", "alarm")
ALARM = 60.0


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """`postgresql://user:password@host:port/database?schema=&prefix=&pool=&pooler=1&listen=`, and libpq's options."""

    url: str
    dsn: str
    """What libpq is given."""
    naming: Naming
    pool: int
    pooler: bool
    """Whether a transaction pooler stands between: no session state, no prepared statements."""
    listen: str | None
    """Where to LISTEN instead: a direct way to the server."""
    alarm: float
    """Seconds that somebody else's transaction may stay open before people are told."""

    @classmethod
    def parse(cls, url: str) -> "PostgresUrl":
        """Raises ConfigurationError."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        ours = {name: options.pop(name) for name in _OURS if name in options}
        dsn = urlunsplit(
            ("postgresql", parts.netloc, parts.path, urlencode(options, quote_via=quote), "")
        )
        naming = Naming(ours.get("prefix", PREFIX), ours.get("schema"))
        return cls(
            url,
            dsn,
            naming,
            int(_number(ours, "pool", POOL, least=1)),
            ours.get("pooler") == "1",
            ours.get("listen"),
            _number(ours, "alarm", ALARM, least=0),
        )

    @property
    def listen_dsn(self) -> str | None:
        """Where to LISTEN; None: nowhere, because a pooler would lose it."""
        return self.listen or (None if self.pooler else self.dsn)

    @property
    def where(self) -> str:
        """The database, for people."""
        parts = urlsplit(self.dsn)
        host = parts.netloc.rpartition("@")[2] or "the local server"
        return f"the Postgres database {unquote(parts.path.lstrip('/')) or '(default)'} on {host}"

    @property
    def hints_directory(self) -> str:
        """Where the processes of this user that use this database meet."""
        parts = urlsplit(self.dsn)
        what = f"{parts.netloc.rpartition('@')[2]}{parts.path} {self.naming.table('')}"
        name = hashlib.blake2b(what.encode(), digest_size=8).hexdigest()
        return str(process.run_directory() / f"hints-{name}")


def _number(options: dict[str, str], name: str, default: float, *, least: float) -> float:
    given = options.get(name, str(default))
    try:
        number = float(given)
    except ValueError:
        number = float("nan")
    if not least <= number < float("inf"):
        raise ConfigurationError(
            f"{name}={given} in the store's URL: it is a number, at least {least:g}"
        )
    return number
