"""Earlier versions of corrected votes, and when each vote last changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table and the column; votes of before last changed when they were cast."""
    op.add_column("votes", sa.Column("changed", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.execute("UPDATE votes SET changed = time")
    op.create_table(
        "vote_corrections",
        sa.Column("vote", sa.String(32), sa.ForeignKey("votes.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("edited", sa.Text),
    )
