"""Accuracy as it would be if the two completions of each pair were equally long: by a regression on their difference.

A model that has only learned to prefer longer completions agrees with people as often as people prefer them. Here
agreement is modelled as `sigmoid(a + b x)`, x being how much longer the chosen completion is, and read at x = 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tiebreak.evaluate.bootstrap import Estimate, prompt_weights

DRAWS = 1_000
_STEPS = 60
_RIDGE = 1.0  # on b alone, so that no difference in length can be made responsible for everything
_SURE = 30.0  # where all pairs agree, a has no bound; the sigmoid of this is 1 to 13 digits

Numbers = NDArray[np.float64]


def length_controlled(
    points: ArrayLike, longer: ArrayLike, prompts: Sequence[Hashable], *, seed: int = 0
) -> Estimate | None:
    """The share of pairs in which the chosen completion is preferred, at equal lengths.

    Args:
        points: of each pair 1, 0, or one half for a tie, shape (pairs,).
        longer: tokens that the chosen completion has more, shape (pairs,).
        prompts: the prompt of each pair; the interval is that of a bootstrap over prompts.
        seed: of the 1,000 draws.
    Returns:
        None where the difference has one sign alone, so that equal lengths were not seen from both sides.
    Source:
        Dubois et al., arXiv 2404.04475: the covariate is tanh of the difference over its standard deviation.
    """
    agreed, difference = np.asarray(points, dtype=np.float64), np.asarray(longer, dtype=np.float64)
    if not len(agreed) or (difference > 0).all() or (difference < 0).all():
        return None
    spread = difference.std()
    covariate = np.tanh(difference / spread) if spread else difference
    value = _at_zero(agreed, covariate, np.ones((1, len(agreed))))[0]
    draws = [_at_zero(agreed, covariate, weights) for weights in prompt_weights(prompts, draws=DRAWS, seed=seed)]
    low, high = np.percentile(np.concatenate(draws), [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _at_zero(agreed: Numbers, covariate: Numbers, weights: Numbers) -> Numbers:
    """The fitted share at a covariate of zero, for each set of weights; weights of shape (sets, pairs).

    Newton's steps for two numbers, of all sets at once.
    """
    a, b = np.zeros(len(weights)), np.zeros(len(weights))
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-(a[:, None] + b[:, None] * covariate)))
        error, curve = weights * (agreed - share), weights * share * (1 - share)
        slope_a, slope_b = error.sum(1), error @ covariate - _RIDGE * b
        aa, ab, bb = curve.sum(1) + 1e-9, curve @ covariate, curve @ covariate**2 + _RIDGE
        size = aa * bb - ab**2
        step_a, step_b = (bb * slope_a - ab * slope_b) / size, (aa * slope_b - ab * slope_a) / size
        a, b = np.clip(a + np.clip(step_a, -5, 5), -_SURE, _SURE), b + np.clip(step_b, -5, 5)
        if np.max(np.abs(step_a) * (np.abs(a) < _SURE)) < 1e-10 and np.max(np.abs(step_b)) < 1e-10:
            break
    found: Numbers = 1 / (1 + np.exp(-a))
    return found
