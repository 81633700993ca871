"""Who corrected and withdrew, turns of each side, the order of changes, and names of voters in place of their keys."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

from tiebreak.votes.voters import voter_of

revision = "0003"
down_revision = "0002"

# Keys that browsers drew; whatever else stands as a voter was given by a program, and is nobody's key.
_KEY = re.compile(r"[A-Za-z0-9_-]{24}")


def upgrade() -> None:
    """Add the columns and the clock; keys of browsers become names."""
    for name, kind in (("left_before", sa.Text), ("right_before", sa.Text), ("withdrawn_by", sa.String(128))):
        op.add_column("votes", sa.Column(name, kind))
    op.add_column("votes", sa.Column("revision", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("vote_corrections", sa.Column("by", sa.String(128)))
    op.create_table("votes_clock", sa.Column("revision", sa.BigInteger, nullable=False))
    op.execute("INSERT INTO votes_clock (revision) VALUES (0)")
    op.create_index("votes_by_revision", "votes", ["revision", "id"])
    op.drop_index("votes_by_voter", "votes")
    op.create_index("votes_by_voter", "votes", ["voter", "time"])
    votes = sa.table("votes", sa.column("voter", sa.String))
    connection = op.get_bind()
    for (voter,) in connection.execute(sa.select(votes.c.voter).distinct()).all():
        if _KEY.fullmatch(voter):
            connection.execute(sa.update(votes).where(votes.c.voter == voter).values(voter=voter_of(voter)))
