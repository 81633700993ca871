"""An open comparison: two answers that stand already, and wait for people to say which is better.

Knows what one is, and what the votes on it say; `votes.open_comparisons` keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tiebreak.votes.comparisons import Compared, compared, compared_in, comparisons, said_by
from tiebreak.votes.vote import Answer, Turn, Vote, counts, now

_VERSION = 1  # raised when the same comparison would get another id


@dataclass(frozen=True)
class OpenComparison:
    """Two answers to one prompt that are to be voted on.

    Attributes:
        id: 32 hexadecimal digits that follow from the prompt, both texts and the models' fingerprints, whichever answer
            comes first: the same question is there once, however often and by whomever it is asked.
        evaluation: 32 hexadecimal digits, the same for all comparisons that were asked together.
        prompt: the turns before the answers; the last one is the user's.
        first, second: the answers. Which stands left is drawn for each voter.
        made: when it was asked first, with a time zone.
    """

    id: str
    evaluation: str
    prompt: tuple[Turn, ...]
    first: Answer
    second: Answer
    made: datetime

    @property
    def compared(self) -> Compared:
        """What votes on it are on."""
        return compared(self.prompt, self.first, self.second)


def open_comparison(
    evaluation: str, prompt: tuple[Turn, ...], first: Answer, second: Answer, *, made: datetime | None = None
) -> OpenComparison:
    """Ask people which of two answers is better.

    Args:
        evaluation: as `evaluation_key` gives it.
        prompt: turns, the last the user's.
        first, second: the answers, in any order.
        made: when; None is now.
    Raises:
        ValueError: both answers have the same text, so that there is nothing to ask.
    """
    asked, one, other = compared(prompt, first, second)
    if one == other:
        raise ValueError("Equal answers are not asked about.")
    sides = sorted([each.fingerprint or each.model, said_by(each)] for each in (first, second))
    return OpenComparison(
        key_of("comparison", _VERSION, asked, sides), evaluation, prompt, first, second, made or now()
    )


def vote_id(comparison: str, voter: str) -> str:
    """The id of a voter's vote on an open comparison: each voter has one, from however many pages it is cast.

    Args:
        comparison: its id.
        voter: as it stands with the votes.
    """
    return key_of("vote", _VERSION, comparison, voter)


def key_of(*parts: object) -> str:
    """32 hexadecimal digits that follow from values which JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def votes_that_count(asked: OpenComparison, votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """The votes on an open comparison that say something: those that count, of each voter the last.

    Args:
        asked: the comparison.
        votes: any; those that answer another comparison, or name this one and show other texts, are passed over.
    """
    theirs = (vote for vote in votes if vote.comparison == asked.id and counts(vote))
    found = comparisons(vote for vote in theirs if compared_in(vote) == asked.compared)
    return found[0].votes if found else ()


def points_for(answer: Answer, votes: Sequence[Vote]) -> float:
    """The verdict of several voters on an answer: the mean of 1 where it is better, 0 where the other one is, else 1/2.

    "Both bad" says of neither that it is better, and is one half as a tie is.

    Args:
        answer: one of the two.
        votes: on them, at least one.
    """
    return sum(_points(answer, vote) for vote in votes) / len(votes)


def _points(answer: Answer, vote: Vote) -> float:
    better = {"left": vote.left, "right": vote.right}.get(vote.verdict)
    return 0.5 if better is None else float(said_by(better) == said_by(answer))
