"""The votes, and the turns of their prompts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    answers = [
        column
        for side in ("left", "right")
        for column in (
            sa.Column(f"{side}_text", sa.Text, nullable=False),
            sa.Column(f"{side}_model", sa.Text, nullable=False),
            sa.Column(f"{side}_fingerprint", sa.Text, nullable=False),
            sa.Column(f"{side}_sampling", sa.Text, nullable=False),
            sa.Column(f"{side}_seed", sa.BigInteger),
        )
    ]
    op.create_table(
        "votes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("voter", sa.String(128), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("edited", sa.Text),
        sa.Column("withdrawn", sa.Boolean(create_constraint=False), nullable=False),
        *answers,
    )
    op.create_index("votes_by_time", "votes", ["time", "id"])
    op.create_index("votes_by_voter", "votes", ["voter"])
    op.create_table(
        "vote_turns",
        sa.Column("vote", sa.String(32), sa.ForeignKey("votes.id"), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
