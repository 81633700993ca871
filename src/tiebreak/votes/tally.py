"""What the votes say of the models, and how far voters agree.

Pure functions of votes; withdrawn votes count nowhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiebreak.votes.bradley_terry import bradley_terry
from tiebreak.votes.comparisons import comparisons
from tiebreak.votes.vote import Answer, Vote

MEAN_SCORE = 1000.0
POINTS = 400 / math.log(10)
"""Points of one unit of log-odds: 400 points more are ten times the odds, as in chess."""
_Z = 1.959964  # the 97.5% point of the normal distribution


@dataclass(frozen=True)
class Standing:
    """What one model achieved. The same name with other weights (another fingerprint) is another model.

    Attributes:
        games: votes between this model and another one; wins + losses + ties + both_bad.
        score: Bradley-Terry score in points, where the mean of the models is 1000 and 400 more are ten times the odds.
        low, high: its 95% interval.
    """

    model: str
    fingerprint: str
    games: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    score: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Agreement:
    """How far voters agree who saw the same comparison.

    Attributes:
        share: pairs of voters who gave the same verdict, of all pairs; None where no two saw the same.
        pairs: pairs of voters.
        comparisons: comparisons that two or more voters saw.
    """

    share: float | None
    pairs: int
    comparisons: int


@dataclass(frozen=True)
class Tally:
    """The account of the votes.

    Attributes:
        standings: best score first.
        agreement: between voters.
        votes: votes that count.
        same_model: votes between two answers of one model, which say nothing of models; they are in no standing.
    """

    standings: tuple[Standing, ...]
    agreement: Agreement
    votes: int
    same_model: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "standings": [standing.to_json() for standing in self.standings],
            "agreement": dict(vars(self.agreement)),
            "votes": self.votes,
            "same_model": self.same_model,
        }


def tally(votes: Iterable[Vote]) -> Tally:
    """Count games, fit scores, measure agreement.

    A tie is half a win for each, and so is "both bad": neither says that one is better. The intervals come from the
    observed information of the fit, with a weak prior that keeps models finite that won (or lost) every game; they
    take votes as independent, so votes of few people about few prompts deserve wider ones.

    Source:
        Bradley and Terry 1952; ties as in Chiang et al. 2024, Chatbot Arena, arXiv 2403.04132.
    """
    counted = [vote for vote in votes if not vote.withdrawn]
    games = [vote for vote in counted if _player(vote.left) != _player(vote.right)]
    return Tally(_standings(games), agreement(counted), len(counted), len(counted) - len(games))


def agreement(votes: Iterable[Vote]) -> Agreement:
    """The share of pairs of voters who gave the same verdict on the same comparison.

    The same comparison is the same prompt and the same two texts, whichever stood left; a voter who voted twice
    on it counts with the last vote. "Tie" and "both bad" are different verdicts. Equal answers are passed over.
    """
    agreed = pairs = seen = 0
    for comparison in comparisons(votes):
        voters = len(comparison.votes)
        if voters < 2 or comparison.same:
            continue
        seen += 1
        pairs += math.comb(voters, 2)
        agreed += sum(math.comb(count, 2) for count in comparison.counts().values())
    return Agreement(agreed / pairs if pairs else None, pairs, seen)


def _player(answer: Answer) -> tuple[str, str]:
    return answer.model, answer.fingerprint


def _standings(games: list[Vote]) -> tuple[Standing, ...]:
    players = sorted({_player(answer) for vote in games for answer in (vote.left, vote.right)})
    place = {player: index for index, player in enumerate(players)}
    wins = np.zeros((len(players), len(players)))
    counts: list[Counter[str]] = [Counter() for _ in players]
    for vote in games:
        left, right = place[_player(vote.left)], place[_player(vote.right)]
        if vote.verdict in ("left", "right"):
            better, worse = (left, right) if vote.verdict == "left" else (right, left)
            wins[better, worse] += 1
            counts[better]["wins"] += 1
            counts[worse]["losses"] += 1
        else:
            wins[left, right] += 0.5
            wins[right, left] += 0.5
            counts[left][vote.verdict] += 1
            counts[right][vote.verdict] += 1
    fit = bradley_terry(wins)
    made = [
        Standing(
            model=model,
            fingerprint=fingerprint,
            games=counts[index].total(),
            wins=counts[index]["wins"],
            losses=counts[index]["losses"],
            ties=counts[index]["tie"],
            both_bad=counts[index]["both_bad"],
            score=MEAN_SCORE + POINTS * float(fit.values[index]),
            low=MEAN_SCORE + POINTS * float(fit.values[index] - _Z * fit.errors[index]),
            high=MEAN_SCORE + POINTS * float(fit.values[index] + _Z * fit.errors[index]),
        )
        for index, (model, fingerprint) in enumerate(players)
    ]
    return tuple(sorted(made, key=lambda each: (-each.score, each.model, each.fingerprint)))
