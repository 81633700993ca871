"""What votes say of the models: games, scores and their intervals, and what the votes look like as a whole.

Pure functions, of counts; how votes are counted is in `votes.count`.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiebreak.votes.comparisons import Agreement
from tiebreak.votes.strengths import Array, bradley_terry
from tiebreak.votes.vote import Verdict

MEAN_SCORE = 1000.0
POINTS = 400 / math.log(10)
"""Points of one unit of log-odds: 400 points more are ten times the odds, as in chess."""
Z = 1.959964
"""The 97.5% point of the normal distribution."""
_TOP = 5

Player = tuple[str, str]
"""A model: its name and the fingerprint of its weights."""
Games = Mapping[tuple[Player, Player, Verdict], int]
"""How many votes there are on two models, the left one first, with each verdict."""


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
class Position:
    """How often the left answer won, of the votes that say left or right on two different answers.

    Attributes:
        left, right: votes.
        share: of left; None where there is no such vote.
        low, high: its 95% interval (Wilson 1927); it holds one half where voters lean to no side.
    """

    left: int
    right: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Voters:
    """Who voted.

    Attributes:
        voters: how many.
        top: the busiest, at most five, the busiest first: name and votes.
        top_share: of all votes, those of the busiest voter; None where there are no votes.
        top_three_share: those of the three busiest.
    """

    voters: int
    top: tuple[tuple[str, int], ...]
    top_share: float | None
    top_three_share: float | None


@dataclass(frozen=True)
class Tally:
    """What the votes say of the models.

    Attributes:
        standings: best score first.
        agreement: between voters.
        votes: votes that count.
        same_model: votes between two answers of one model, which say nothing of models; they are in no standing.
        corrected: votes that are left out because their verdict was corrected after the models were named.
        position: whether voters lean to a side.
        voters: who voted.
    """

    standings: tuple[Standing, ...]
    agreement: Agreement
    votes: int
    same_model: int
    corrected: int
    position: Position
    voters: Voters

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        voters = {**vars(self.voters), "top": [{"voter": name, "votes": number} for name, number in self.voters.top]}
        return {
            "standings": [standing.to_json() for standing in self.standings],
            "agreement": dict(vars(self.agreement)),
            "votes": self.votes,
            "same_model": self.same_model,
            "corrected": self.corrected,
            "position": dict(vars(self.position)),
            "voters": voters,
        }


def wins_of(games: Games, players: Sequence[Player]) -> Array:
    """Which model beat which how often, a tie counted as half a win each; shape (players, players)."""
    index_of = {player: index for index, player in enumerate(players)}
    wins = np.zeros((len(players), len(players)))
    for (one, other, verdict), number in games.items():
        left, right = index_of[one], index_of[other]
        share = {"left": 1.0, "right": 0.0}.get(verdict, 0.5)
        wins[left, right] += number * share
        wins[right, left] += number * (1 - share)
    return wins


def players_of(games: Games) -> list[Player]:
    """The models of games, in the order of their names."""
    return sorted({player for one, other, _ in games for player in (one, other)})


def standings(games: Games) -> tuple[Standing, ...]:
    """What each model achieved, best score first.

    A tie is half a win for each, and so is "both bad": neither says that one is better. The intervals come from the
    observed information of the fit, with a weak prior that keeps models finite that won (or lost) every game; they
    take votes as independent, so votes of few people about few prompts deserve wider ones.

    Source:
        Bradley and Terry 1952; ties as in Chiang et al. 2024, Chatbot Arena, arXiv 2403.04132.
    """
    players = players_of(games)
    said: dict[Player, Counter[str]] = {player: Counter() for player in players}
    for (one, other, verdict), number in games.items():
        left, right = {"left": ("wins", "losses"), "right": ("losses", "wins")}.get(verdict, (verdict, verdict))
        said[one][left] += number
        said[other][right] += number
    fit = bradley_terry(wins_of(games, players))
    errors = fit.errors
    found = [
        Standing(
            model=player[0],
            fingerprint=player[1],
            games=said[player].total(),
            wins=said[player]["wins"],
            losses=said[player]["losses"],
            ties=said[player]["tie"],
            both_bad=said[player]["both_bad"],
            score=MEAN_SCORE + POINTS * float(fit.values[index]),
            low=MEAN_SCORE + POINTS * float(fit.values[index] - Z * errors[index]),
            high=MEAN_SCORE + POINTS * float(fit.values[index] + Z * errors[index]),
        )
        for index, player in enumerate(players)
    ]
    return tuple(sorted(found, key=lambda each: (-each.score, each.model, each.fingerprint)))


def position(left: int, right: int) -> Position:
    """How often the left answer won.

    Source:
        Wilson 1927, Journal of the American Statistical Association 22 (the score interval).
    """
    number = left + right
    if not number:
        return Position(0, 0, None, None, None)
    share, extra = left / number, Z**2 / number
    middle = (share + extra / 2) / (1 + extra)
    reach = Z / (1 + extra) * math.sqrt(share * (1 - share) / number + extra / (4 * number))
    return Position(left, right, share, max(0.0, middle - reach), min(1.0, middle + reach))


def busiest(votes_of: Mapping[str, int]) -> Voters:
    """Who voted, from how many votes each voter cast."""
    top = heapq.nsmallest(_TOP, votes_of.items(), key=lambda each: (-each[1], each[0]))
    total = sum(votes_of.values())
    shares = [sum(number for _, number in top[:few]) / total if total else None for few in (1, 3)]
    return Voters(len(votes_of), tuple(top), *shares)
