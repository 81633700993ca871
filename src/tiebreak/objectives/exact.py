"""Efficient exact optimization: the reverse divergence between what the policy prefers and what people prefer."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import logsigmoid

from tiebreak.objectives.divergences import scores
from tiebreak.objectives.pairs import PairLogps
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, Divergence, DivergenceAlpha, SomeLabelSmoothing


@objective()
def exo_pair(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    label_smoothing: SomeLabelSmoothing = 1e-3,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """EXO: the divergence of the policy's choice from the smoothed label, which seeks the mode that DPO only covers.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: share of flipped labels, in (0, 0.5); at 0 the divergence would be infinite.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, >= 0, shape (pairs,); 0 at a margin of log((1 - label_smoothing) / label_smoothing).
    Source:
        Ji et al. 2024, arXiv 2402.00856, eq. 16.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    margin = beta * (chosen - rejected)
    right = margin.sigmoid() * (logsigmoid(margin) - math.log1p(-label_smoothing))
    wrong = (-margin).sigmoid() * (logsigmoid(-margin) - math.log(label_smoothing))
    return right + wrong
