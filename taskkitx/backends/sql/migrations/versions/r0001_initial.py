"""The first schema."""

from alembic import op
from sqlalchemy.schema import CreateIndex, CreateTable

from taskkitx.backends.sql.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    for table in metadata.sorted_tables:
        op.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            op.execute(CreateIndex(index))


def downgrade() -> None:
    """Drop all tables."""
    for table in reversed(metadata.sorted_tables):
        op.drop_table(table.name)
