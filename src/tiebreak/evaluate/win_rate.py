"""What verdicts say of two models: the win rate with its interval, a sign test, and how many prompts would say more."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tiebreak.evaluate.bootstrap import POINTS, Estimate, mean_over_prompts, prompts_needed
from tiebreak.evaluate.length_control import length_controlled


@dataclass(frozen=True)
class WinRate:
    """How often one model's answers beat another's.

    Attributes:
        prompts: with a verdict, each prompt once.
        wins, ties, losses: verdicts.
        not_judged: comparisons without a verdict.
        value: share of wins, a tie being half; the interval is that of a bootstrap over prompts.
        length_controlled: the same at equal lengths; None where one model's answers are never longer.
        sign_test: two-sided p-value of as many wins among wins and losses, were both models equal; exact.
        more_prompts: by the difference from one half in points, how many more prompts it takes to see one so large with
            a chance of 80%, by verdicts that differ as these do.
    """

    prompts: int
    wins: int
    ties: int
    losses: int
    not_judged: int
    value: Estimate
    length_controlled: Estimate | None
    sign_test: float
    more_prompts: Mapping[int, int]


def win_rate(
    points: Sequence[float | None],
    longer: Sequence[int],
    prompts: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
) -> WinRate | None:
    """The win rate of verdicts.

    Args:
        points: 1 where the model wins, 0 where it loses, one half for a tie, None where there is no verdict. What lies
            between, the mean of several people, counts so in the win rate; elsewhere it is what most of them say.
        longer: characters that its answer has more.
        prompts: the prompt of each; None is a prompt of its own for each.
        seed: of every bootstrap.
    Returns:
        None where there is no verdict at all.
    """
    there = [i for i, point in enumerate(points) if point is not None]
    if not there:
        return None
    found = np.asarray([points[i] for i in there], dtype=np.float64)
    asked = there if prompts is None else [prompts[i] for i in there]
    wins, losses = int((found > 0.5).sum()), int((found < 0.5).sum())
    many = len(set(asked))
    # Verdicts that are all the same say nothing of how much others would differ.
    spread = float(found.std()) or 0.5
    return WinRate(
        prompts=many,
        wins=wins,
        ties=len(there) - wins - losses,
        losses=losses,
        not_judged=len(points) - len(there),
        value=mean_over_prompts(found, asked, seed=seed),
        length_controlled=length_controlled(found, [longer[i] for i in there], asked, seed=seed),
        sign_test=sign_test(wins, losses),
        more_prompts={each: max(0, prompts_needed(each / 100, spread=spread) - many) for each in POINTS},
    )


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of the exact sign test; ties are left out of it, and nothing but ties is 1."""
    tries, fewer = wins + losses, min(wins, losses)
    tail, term = 0, 1
    for k in range(fewer + 1):  # binomial coefficients, one from the other
        tail += term
        term = term * (tries - k) // (k + 1)
    return float(min(Fraction(1), Fraction(2 * tail, 2**tries)))


@dataclass(frozen=True)
class Agreement:
    """How far two judges agree.

    Attributes:
        comparisons: that both gave a verdict on.
        same: share of equal verdicts, of the three: first, second, tie.
        kappa: Cohen's: what they agree more than by chance, 1 being always; None where chance alone would always agree.
    """

    comparisons: int
    same: float
    kappa: float | None


def agreement(one: Sequence[float | None], other: Sequence[float | None]) -> Agreement | None:
    """The agreement of two judges on the same comparisons; None where none has a verdict of both.

    A verdict that is the mean of several people is what most of them say.
    """
    both = [(_most(a), _most(b)) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    if not both:
        return None
    many = len(both)
    same = sum(a == b for a, b in both) / many
    chance = sum(
        sum(a == verdict for a, _ in both) * sum(b == verdict for _, b in both) for verdict in (0.0, 0.5, 1.0)
    ) / (many * many)
    kappa = None if math.isclose(chance, 1) else (same - chance) / (1 - chance)
    return Agreement(many, same, kappa)


def _most(point: float) -> float:
    return 0.5 + 0.5 * ((point > 0.5) - (point < 0.5))


def longer_by(after: Sequence[str], before: Sequence[str]) -> list[int]:
    """Characters that each answer has more than the one that it is compared with."""
    return [len(mine) - len(theirs) for mine, theirs in zip(after, before, strict=True)]


def win_rate_json(found: WinRate) -> dict[str, Any]:
    """As plain values."""
    from dataclasses import asdict

    return {**asdict(found), "more_prompts": {str(key): value for key, value in found.more_prompts.items()}}
