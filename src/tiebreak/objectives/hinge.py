"""A hinge on the margin: a pair that is told apart well enough teaches nothing more."""

from __future__ import annotations

from torch import Tensor

from tiebreak.objectives.divergences import scores
from tiebreak.objectives.pairs import PairLogps
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, Divergence, DivergenceAlpha


@objective()
def hinge(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """Hinge loss of the rewards: SLiC's calibration with log-ratios against a reference.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: reciprocal of the margin of log-ratios from which a pair is good enough, > 0, per nat.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, >= 0, shape (pairs,); 1 where policy and reference agree.
    Source:
        Liu et al. 2023, arXiv 2309.06657 (RSO), the loss "hinge-norm", after Zhao et al. 2023, arXiv 2305.10425.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    return (1 - beta * (chosen - rejected)).relu()
