"""The first schema."""

from typing import Any

from alembic import context, op
from sqlalchemy import inspect
from sqlalchemy.schema import CreateIndex, CreateTable

from taskkitx.backends.sql.schema import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables; on MySQL, where each statement commits by itself, those that an interrupted run left out."""
    dialect = context.get_context().dialect
    for table in _tables():
        op.execute(CreateTable(table, if_not_exists=dialect.name == "mysql"))
        made = _made(table) if dialect.name == "mysql" and not context.is_offline_mode() else ()
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.name not in made:
                op.execute(CreateIndex(index))


def _made(table: Any) -> set[Any]:
    found = inspect(op.get_bind()).get_indexes(table.name, table.schema)
    return {index["name"] for index in found}


def downgrade() -> None:
    """Drop all tables."""
    for table in reversed(_tables()):
        op.drop_table(table.name, schema=table.schema)


def _tables() -> list[Any]:
    dialect = context.get_context().dialect.name
    options = context.config.attributes
    metadata = tables("mysql" if dialect == "mariadb" else dialect, **options.get("naming", {}))
    return metadata.sorted_tables
