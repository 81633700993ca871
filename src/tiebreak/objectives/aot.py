"""Alignment via optimal transport: the order of a whole step's values counts, not which pair they came from.

In one dimension the best transport pairs values of equal rank. Each loss is given to the pair whose policy value has
that rank, so that the losses move with the pairs when those change places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiebreak.objectives.functional import logsigmoid
from tiebreak.objectives.logps import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, LabelSmoothing

if TYPE_CHECKING:
    from torch import Tensor


@objective(whole_step=True)
def aot(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.1, label_smoothing: LabelSmoothing = 0.0) -> Tensor:
    """Alignment via optimal transport: the policy's margins should exceed the reference's, rank by rank.

    Args:
        policy, reference: log-probs of the pairs of a whole step, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: assumed share of flipped labels, in [0, 0.5).
    Returns:
        Loss of each pair, shape (pairs,); log 2 where policy and reference agree.
    Source:
        Melnyk et al. 2024, arXiv 2406.05882, section 3, the paired form.
    """
    margins = policy.chosen - policy.rejected
    return _smoothed(beta * _above_equal_rank(margins, reference.chosen - reference.rejected), label_smoothing)


@objective(whole_step=True)
def aot_unpaired(
    policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.1, label_smoothing: LabelSmoothing = 0.0
) -> Tensor:
    """Unpaired alignment via optimal transport: chosen rewards should exceed rejected ones, rank by rank.

    Args:
        policy, reference: log-probs of the pairs of a whole step, each field of shape (pairs,), in nats; which
            completion belongs to which does not matter.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: assumed share of flipped labels, in [0, 0.5).
    Returns:
        Loss of each pair, given to the one whose chosen completion has the rank, shape (pairs,); log 2 where policy and
        reference agree.
    Source:
        Melnyk et al. 2024, arXiv 2406.05882, section 3, the unpaired form.
    """
    chosen, rejected = log_ratios(policy, reference)
    return _smoothed(beta * _above_equal_rank(chosen, rejected), label_smoothing)


def _above_equal_rank(values: Tensor, others: Tensor) -> Tensor:
    """By how much each value exceeds the other of its rank, shape (n,)."""
    rank = values.argsort(stable=True).argsort()
    return values - others.sort().values[rank]


def _smoothed(margin: Tensor, label_smoothing: float) -> Tensor:
    return -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)
