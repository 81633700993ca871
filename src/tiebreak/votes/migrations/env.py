"""What Alembic runs around a migration: the connection and its transaction come from whoever asked."""

from __future__ import annotations

from alembic import context

from tiebreak.votes.tables import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
