"""Alembic's entry: run revisions on the connection the caller brought, or print their SQL."""

from typing import Any

from alembic import context
from sqlalchemy import text

naming: dict[str, Any] = context.config.attributes.get("naming", {})
schema: str | None = naming.get("schema")
version: dict[str, Any] = {
    "version_table": f"{naming.get('prefix', 'taskkitx_')}version",
    "version_table_schema": schema,
}
# A schema that is there already may belong to somebody who lets us make tables in it, and no more.
there = text("SELECT to_regnamespace(:schema)")

if context.is_offline_mode():
    dialect = context.config.get_main_option("dialect")
    context.configure(dialect_name=dialect, literal_binds=True, **version)
    with context.begin_transaction():
        if schema and dialect == "postgresql":
            context.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        context.run_migrations()
else:
    connection = context.config.attributes["connection"]
    if (
        schema
        and connection.dialect.name == "postgresql"
        and connection.execute(there, {"schema": schema}).scalar() is None
    ):
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    context.configure(connection=connection, **version)
    context.run_migrations()
