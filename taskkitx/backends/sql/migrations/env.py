"""Alembic's entry: run revisions on the connection the caller brought, or print their SQL."""

from alembic import context

from taskkitx.backends.sql.schema import metadata

VERSION_TABLE = "taskkitx_version"

if context.is_offline_mode():
    context.configure(
        dialect_name=context.config.get_main_option("dialect"),
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
    )
    context.run_migrations()
