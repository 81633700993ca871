"""The Bradley-Terry model, from a matrix of wins to strengths and how far they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PRIOR_SD = 3.0
"""Standard deviation of the prior of a strength, in log-odds: 95% within odds of 350 to 1, so it matters only where
a player won or lost everything, or played little."""
_STEPS = 200
_CLOSE = 1e-10


@dataclass(frozen=True)
class Strengths:
    """Strengths in log-odds, shape (players,), about a mean of 0, and how far they are known.

    Attributes:
        values: the strengths.
        covariance: of their errors about that mean, shape (players, players).
    """

    values: Array
    covariance: Array

    @property
    def errors(self) -> Array:
        """Standard errors of the strengths, shape (players,)."""
        return np.sqrt(np.clip(np.diag(self.covariance), 0, None))


def bradley_terry(wins: Array, *, prior_sd: float = PRIOR_SD) -> Strengths:
    """Fit strengths so that i beats j with probability 1 / (1 + exp(strength_j - strength_i)).

    The mode under independent normal priors with mean 0, found by Newton's method; the errors come from the observed
    information (the negative second derivative at the mode), projected on differences from the mean.

    Args:
        wins: wins[i, j] is how often i beat j, a tie counted as half a win each; shape (players, players).
        prior_sd: standard deviation of the prior, in log-odds.
    Source:
        Bradley and Terry 1952, Biometrika 39; Hunter 2004, Annals of Statistics 32, section 2 (the likelihood is
        concave in log-strengths); Efron and Hinkley 1978, Biometrika 65 (observed information).
    """
    games = wins + wins.T
    precision = np.eye(len(wins)) / prior_sd**2
    values = np.zeros(len(wins))
    for _ in range(_STEPS):
        gradient, information = _slope(values, wins, games, precision)
        step = np.linalg.solve(information, gradient)
        # Far from the mode a full step may overshoot; no strength moves more than 1 at once, so that none does.
        values = values + step / max(1.0, float(np.abs(step).max(initial=0.0)))
        if np.abs(step).max(initial=0.0) < _CLOSE:
            break
    _, information = _slope(values, wins, games, precision)
    centre = np.eye(len(wins)) - 1 / max(1, len(wins))
    covariance = centre @ np.linalg.inv(information) @ centre
    return Strengths(values, covariance)


def _slope(values: Array, wins: Array, games: Array, precision: Array) -> tuple[Array, Array]:
    """Gradient of the log-posterior, shape (players,), and its negative second derivative, (players, players)."""
    chance = 1 / (1 + np.exp(values[None, :] - values[:, None]))
    gradient = (wins - games * chance).sum(1) - precision @ values
    weight = games * chance * (1 - chance)
    return gradient, np.diag(weight.sum(1)) - weight + precision
