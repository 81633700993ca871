"""Kahneman-Tversky optimization: a completion is good or bad by itself, measured from where the policy usually is.

In the order of the file: kto, on unpaired completions; kto_pair, on pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiebreak.objectives.functional import where
from tiebreak.objectives.logps import PairLogps, UnpairedLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, DesirableWeight, UndesirableWeight

if TYPE_CHECKING:
    from torch import Tensor


@objective(whole_step=True, unpaired=True)
def kto(
    policy: UnpairedLogps,
    reference: UnpairedLogps,
    *,
    beta: Beta = 0.1,
    desirable_weight: DesirableWeight = 1.0,
    undesirable_weight: UndesirableWeight = 1.0,
) -> Tensor:
    """Kahneman-Tversky optimization: learn from completions that were judged one by one, with no pairs.

    A completion's log-ratio is measured from z0, the policy's divergence from the reference, estimated over the step
    from mismatched completions, at least zero, and without a gradient. Beta scales their difference, inside the
    logistic function, as in the later versions of the paper; the first had it in the reward and the divergence.

    Args:
        policy, reference: log-probs of the completions of a whole step, each field of shape (n,), in nats.
        beta: how soon a completion is good or bad enough, > 0, per nat.
        desirable_weight, undesirable_weight: weights of good and of bad completions, > 0; the paper chooses them so
            that the two kinds weigh about alike in all.
    Returns:
        Loss of each completion, between 0 and its weight, shape (n,); half its weight where policy and reference agree.
    Source:
        Ethayarajh et al. 2024, arXiv 2402.01306, eq. 8.
    """
    log_ratio = policy.logp - reference.logp
    z0 = (policy.mismatched - reference.mismatched).mean().clamp(min=0).detach()
    desirable = desirable_weight * (beta * (z0 - log_ratio)).sigmoid()
    undesirable = undesirable_weight * (beta * (log_ratio - z0)).sigmoid()
    return where(policy.desirable, desirable, undesirable)


@objective(whole_step=True)
def kto_pair(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.1) -> Tensor:
    """Kahneman-Tversky optimization on pairs: each completion is measured from the mean of the other side of the step.

    The mean log-ratio of the other side stands for the divergence; it is at least zero and has no gradient.

    Args:
        policy, reference: log-probs of the pairs of a whole step, each field of shape (pairs,), in nats.
        beta: how soon a completion is good or bad enough, > 0, per nat.
    Returns:
        Loss of each pair, the mean of its completions' losses, in (0, 1), shape (pairs,); 1/2 where policy and
        reference agree.
    Source:
        Ethayarajh et al. 2024, arXiv 2402.01306, eq. 8, applied to both completions of a pair.
    """
    chosen, rejected = log_ratios(policy, reference)
    z0_chosen, z0_rejected = (side.mean().clamp(min=0).detach() for side in (chosen, rejected))
    return ((beta * (z0_rejected - chosen)).sigmoid() + (beta * (rejected - z0_chosen)).sigmoid()) / 2
