"""The tables as they are now; the migrations say how they came to be so.

Times are whole microseconds since 1970 (UTC), so that both databases keep and order them alike.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

NEWEST = "0004"
"""The last migration that this version of Tiebreak knows."""
VERSION_TABLE = "votes_version"

metadata = MetaData()

votes = Table(
    "votes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("voter", String(128), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text),
    Column("edited", Text),
    Column("withdrawn", Boolean(create_constraint=False), nullable=False),
    Column("left_text", Text, nullable=False),
    Column("left_model", Text, nullable=False),
    Column("left_fingerprint", Text, nullable=False),
    Column("left_sampling", Text, nullable=False),
    Column("left_seed", BigInteger),
    Column("right_text", Text, nullable=False),
    Column("right_model", Text, nullable=False),
    Column("right_fingerprint", Text, nullable=False),
    Column("right_sampling", Text, nullable=False),
    Column("right_seed", BigInteger),
    Column("left_before", Text),
    Column("right_before", Text),
    Column("withdrawn_by", String(128)),
    Column("revision", BigInteger, nullable=False),
    Column("comparison", String(32)),
    Index("votes_by_time", "time", "id"),
    Index("votes_by_voter", "voter", "time"),
    Index("votes_by_revision", "revision", "id"),
    Index("votes_by_comparison", "comparison", "voter"),
)

clock = Table("votes_clock", metadata, Column("revision", BigInteger, nullable=False))
"""One row: the revision of the last change. Whoever changes a vote takes the next one first, and others wait for the
end of that transaction; so revisions become visible in their order."""

turns = Table(
    "vote_turns",
    metadata,
    Column("vote", String(32), ForeignKey("votes.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
)

corrections = Table(
    "vote_corrections",
    metadata,
    Column("vote", String(32), ForeignKey("votes.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text),
    Column("edited", Text),
    Column("by", String(128)),
)

open_comparisons = Table(
    "open_comparisons",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("evaluation", String(32), nullable=False),
    Column("made", BigInteger, nullable=False),
    Column("prompt", Text, nullable=False),
    *(
        Column(f"{side}_{name}", kind, nullable=not required)
        for side in ("first", "second")
        for name, kind, required in (
            ("text", Text, True),
            ("model", Text, True),
            ("fingerprint", Text, True),
            ("sampling", Text, True),
            ("seed", BigInteger, False),
            ("before", Text, False),
        )
    ),
    Index("open_comparisons_by_evaluation", "evaluation", "id"),
)
"""Two answers that wait for votes. A vote names the comparison that it answers; no foreign key ties the two together,
since a vote may be imported where the comparison is not, and stays when the comparison is closed."""
