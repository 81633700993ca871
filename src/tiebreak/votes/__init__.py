"""The comparisons that people made: kept safely, counted, and turned into rows to train on."""

from tiebreak.votes.opening import open_votes
from tiebreak.votes.vote import Answer, Vote

__all__ = ["Answer", "Vote", "open_votes"]
