"""Votes gathered by what was compared: the same prompt and the same two answers, whichever stood left.

Knows when two people saw the same thing, and that a voter speaks once about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tiebreak.votes.vote import Turn, Vote

Said = Literal["first", "second", "tie", "both_bad"]


@dataclass(frozen=True)
class Comparison:
    """Two answers to one prompt, and what was said of them.

    Attributes:
        prompt: the turns, without white space around their contents.
        first, second: the texts of the answers, without white space around them, in the order of their letters.
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

    def said(self, vote: Vote) -> Said:
        """The verdict of one of its votes, freed of the sides."""
        if vote.verdict == "tie" or vote.verdict == "both_bad":
            return vote.verdict
        better = vote.left if vote.verdict == "left" else vote.right
        return "first" if better.text.strip() == self.first else "second"

    def counts(self) -> Mapping[Said, int]:
        """How many voters said what."""
        counts: dict[Said, int] = {"first": 0, "second": 0, "tie": 0, "both_bad": 0}
        for vote in self.votes:
            counts[self.said(vote)] += 1
        return counts


def comparisons(votes: Iterable[Vote]) -> list[Comparison]:
    """Gather votes; withdrawn ones are passed over. The order is that of the first vote on each."""
    found: dict[tuple[tuple[Turn, ...], str, str], dict[str, Vote]] = {}
    for vote in sorted((vote for vote in votes if not vote.withdrawn), key=lambda vote: (vote.time, vote.id)):
        prompt = tuple((role, content.strip()) for role, content in vote.prompt)
        first, second = sorted((vote.left.text.strip(), vote.right.text.strip()))
        by_voter = found.setdefault((prompt, first, second), {})
        by_voter.pop(vote.voter, None)  # who votes again changes their mind
        by_voter[vote.voter] = vote
    return [
        Comparison(prompt, first, second, tuple(by_voter.values()))
        for (prompt, first, second), by_voter in found.items()
    ]
