"""f-divergences between policy and reference: what a log-ratio is worth as a score.

Direct preference optimization keeps the policy close to the reference by the reverse Kullback-Leibler divergence.
With another f-divergence the log-ratio log u of a completion is replaced by f'(u); constants cancel in the margin, so
only losses of the margin have such a form.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiebreak.objectives.functional import logsigmoid, where
from tiebreak.objectives.logps import PairLogps, log_ratios
from tiebreak.objectives.settings import Divergence, DivergenceAlpha

if TYPE_CHECKING:
    from torch import Tensor

# Past e**30 the exponential goes on along its tangent, so that scores, their squares and their gradients fit float32.
STEEPEST = 30.0


def scores(
    policy: PairLogps, reference: PairLogps, divergence: Divergence, divergence_alpha: DivergenceAlpha
) -> tuple[Tensor, Tensor]:
    """What the completions of each pair are worth before they are scaled by beta.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        divergence: reverse_kl leaves the log-ratios as they are.
        divergence_alpha: order of the alpha divergence, in (0, 1); towards 1 it becomes reverse_kl, at 0 forward_kl.
    Returns:
        Scores of the chosen and of the rejected completions, each of shape (pairs,); 0 where both models agree.
    Source:
        Wang et al. 2023, arXiv 2309.16240, the theorem on f-DPO and the table of divergences before it.
    """
    chosen, rejected = log_ratios(policy, reference)
    return _score(chosen, divergence, divergence_alpha), _score(rejected, divergence, divergence_alpha)


def _score(log_ratio: Tensor, divergence: Divergence, alpha: float) -> Tensor:
    match divergence:
        case "reverse_kl":
            return log_ratio
        case "forward_kl":
            return -_expm1(-log_ratio)
        case "js":
            return math.log(2) + logsigmoid(log_ratio)
        case "alpha":
            return _expm1((alpha - 1) * log_ratio) / (alpha - 1)


def _expm1(x: Tensor) -> Tensor:
    tangent = math.exp(STEEPEST) * (1 + x - STEEPEST) - 1
    return where(x > STEEPEST, tangent, x.clamp(max=STEEPEST).expm1())
