"""Alembic revisions of the schema, applied by `taskkitx migrate` and when a SQLite file is opened."""
