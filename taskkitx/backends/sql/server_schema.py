"""A server's tables: made at the first use of an empty database, brought up to date by `taskkitx migrate` alone."""

from collections.abc import Callable

from taskkitx.backends.sql.version import VERSION
from taskkitx.errors import ConfigurationError, SchemaMismatch


def check(found: str | None, where: str) -> None:
    """Refuse a schema that is not this version's. Raises SchemaMismatch, ConfigurationError when there is none."""
    if found == VERSION:
        return
    if found is None:
        raise ConfigurationError(
            f"{where} holds no tables of taskkitx: run `taskkitx migrate`, or name another store"
        )
    if found > VERSION:
        raise SchemaMismatch(
            f"{where} has schema {found}, newer than the {VERSION} of this taskkitx: "
            "upgrade taskkitx (pip install --upgrade taskkitx); the tables were left as they are"
        )
    raise SchemaMismatch(
        f"{where} has schema {found}, this taskkitx needs {VERSION}: run `taskkitx migrate`"
    )


def prepare(find: Callable[[], str | None], create: Callable[[], None], where: str) -> None:
    """Check the schema, and make it when there is none at all."""
    found = find()
    if found is None:
        create()
        found = find()
    check(found, where)
