"""What a store's tables are called."""

from dataclasses import dataclass
from typing import Any

from taskkitx.errors import ConfigurationError

PREFIX = "taskkitx_"


@dataclass(frozen=True, slots=True)
class Naming:
    """A prefix for every table, and the schema they are in (None: where the server looks first)."""

    prefix: str = PREFIX
    schema: str | None = None

    def __post_init__(self) -> None:
        """Names go into statements as they are: only what needs no quotes is taken. Raises ConfigurationError."""
        for what, name in (("prefix", self.prefix), ("schema", self.schema)):
            plain = name is None or (
                name.isascii() and name.isidentifier() and name == name.lower()
            )
            if not plain or len(name or "") > 30:
                raise ConfigurationError(
                    f"the {what} {name!r} of the store's URL: use up to 30 lower-case letters, digits and _"
                )

    def applied_to(self, statement: str) -> str:
        """The statement with this store's table names."""
        return statement.replace(PREFIX, self.table(""))

    def table(self, name: str) -> str:
        """A table's full name."""
        return f"{self.schema}.{self.prefix}{name}" if self.schema else f"{self.prefix}{name}"

    def options(self) -> dict[str, Any]:
        """For `schema.tables`."""
        return {"prefix": self.prefix, "schema": self.schema}
