"""How far a model has moved from its reference: their KL divergence, estimated on the model's own answers.

The KL of whole answers is the mean of log π(y|x) − log π_ref(y|x) over answers y that π itself wrote. It is that mean
only where the answers are draws from π: at temperature 1, with nothing cut off. Answers that were cut at a length are
draws of beginnings, and the mean is the KL of beginnings of that length, which is never more than that of the whole.

The estimators that cannot be negative (such as k3 of Schulman) are of no use on whole answers: they lean on answers
that the reference likes and the model hardly ever writes, and a few hundred draws have none of those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiebreak.evaluate.bootstrap import Estimate, mean_over_prompts


@dataclass(frozen=True)
class Kl:
    """The KL divergence of a model from its reference.

    Attributes:
        answers: that it is estimated on, one a prompt.
        value: mean log-ratio of an answer, in nats, with the interval of a bootstrap over prompts. Near zero it may
            come out below zero.
        standard_error: of the mean, in nats; None of a single answer.
        tokens: of an answer on average, the token that ends it included.
    """

    answers: int
    value: Estimate
    standard_error: float | None
    tokens: float


def kl_estimate(policy: ArrayLike, reference: ArrayLike, tokens: Sequence[int], *, seed: int = 0) -> Kl | None:
    """The KL from the log-probs of the model's own answers.

    Args:
        policy, reference: log-prob of each answer under the model that drew it and under its reference, in nats, shape
            (answers,); an answer to each prompt.
        tokens: of each answer.
        seed: of the bootstrap.
    Returns:
        None where there is no answer.
    """
    ratios = np.asarray(policy, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    many = len(ratios)
    if not many:
        return None
    error = float(ratios.std(ddof=1)) / math.sqrt(many) if many > 1 else None
    return Kl(many, mean_over_prompts(ratios, seed=seed), error, sum(tokens) / many)
