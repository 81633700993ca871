"""Votes gathered by what was compared: the same prompt and the same two answers, whichever stood left.

Knows when two people saw the same thing, and that only a voter's last vote on it counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tiebreak.votes.vote import Answer, Turn, Vote

Outcome = Literal["first", "second", "tie", "both_bad"]


@dataclass(frozen=True)
class Comparison:
    """Two answers to one prompt, and the votes on them.

    Attributes:
        prompt: the turns, without white space around their contents.
        first, second: the texts of the answers, without white space around them, in the order of their letters; of an
            answer of several turns, a text that stands for all of them.
        votes: the last vote of each voter, in the order of their times; at least one.
    """

    prompt: tuple[Turn, ...]
    first: str
    second: str
    votes: tuple[Vote, ...]

    @property
    def same(self) -> bool:
        """Whether both answers have the same text."""
        return self.first == self.second

    def outcome(self, vote: Vote) -> Outcome:
        """The verdict of one of its votes, whichever side the answers stood on."""
        if vote.verdict == "tie" or vote.verdict == "both_bad":
            return vote.verdict
        better = vote.left if vote.verdict == "left" else vote.right
        return "first" if said_by(better) == self.first else "second"

    def turns_of(self, said: str) -> tuple[Turn, ...]:
        """What `first` or `second` stands for: the turns after the prompt."""
        vote = self.votes[0]
        return vote.left.turns if said_by(vote.left) == said else vote.right.turns

    def counts(self) -> Mapping[Outcome, int]:
        """How many votes there are of each outcome."""
        counts: dict[Outcome, int] = {"first": 0, "second": 0, "tie": 0, "both_bad": 0}
        for vote in self.votes:
            counts[self.outcome(vote)] += 1
        return counts


@dataclass(frozen=True)
class Agreement:
    """How far voters agree who saw the same comparison: the same prompt and texts, whichever stood left.

    A voter who voted twice on it counts with the last vote. "Tie" and "both bad" are different verdicts. Equal answers
    are passed over.

    Attributes:
        share: pairs of voters who gave the same verdict, of all pairs; None where no two saw the same.
        pairs: pairs of voters.
        comparisons: comparisons that two or more voters saw.
    """

    share: float | None
    pairs: int
    comparisons: int


Compared = tuple[tuple[Turn, ...], str, str]
"""What was compared: the prompt and both answers, as of `Comparison`."""


def said_by(answer: Answer) -> str:
    """The text of an answer, without white space around it; of several turns, a text that stands for all of them."""
    turns = answer.turns
    return turns[0][1] if len(turns) == 1 else f"\0{json.dumps(turns)}"  # no text of a vote has a NUL


def compared_in(vote: Vote) -> Compared:
    """What a vote is on; the same for all who saw the same, whichever answer stood left."""
    return compared(vote.prompt, vote.left, vote.right)


def compared(prompt: Iterable[Turn], one: Answer, other: Answer) -> Compared:
    """What two answers to a prompt are as a comparison, whichever comes first."""
    first, second = sorted((said_by(one), said_by(other)))
    return tuple((role, content.strip()) for role, content in prompt), first, second


def comparisons(votes: Iterable[Vote]) -> list[Comparison]:
    """Gather votes; withdrawn ones are passed over. The order is that of the first vote on each."""
    found: dict[Compared, dict[str, Vote]] = {}
    for vote in sorted((vote for vote in votes if not vote.withdrawn), key=lambda vote: (vote.time, vote.id)):
        by_voter = found.setdefault(compared_in(vote), {})
        by_voter.pop(vote.voter, None)  # who votes again changes their mind
        by_voter[vote.voter] = vote
    return [
        Comparison(prompt, first, second, tuple(by_voter.values()))
        for (prompt, first, second), by_voter in found.items()
    ]
