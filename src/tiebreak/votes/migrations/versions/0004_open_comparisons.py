"""Comparisons that wait for votes, and which of them a vote answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table and the column; votes of before answer none."""
    answers = [
        column
        for side in ("first", "second")
        for column in (
            sa.Column(f"{side}_text", sa.Text, nullable=False),
            sa.Column(f"{side}_model", sa.Text, nullable=False),
            sa.Column(f"{side}_fingerprint", sa.Text, nullable=False),
            sa.Column(f"{side}_sampling", sa.Text, nullable=False),
            sa.Column(f"{side}_seed", sa.BigInteger),
            sa.Column(f"{side}_before", sa.Text),
        )
    ]
    op.create_table(
        "open_comparisons",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("evaluation", sa.String(32), nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        *answers,
    )
    op.create_index("open_comparisons_by_evaluation", "open_comparisons", ["evaluation", "id"])
    op.add_column("votes", sa.Column("comparison", sa.String(32)))
    op.create_index("votes_by_comparison", "votes", ["comparison", "voter"])
