"""Kahneman-Tversky optimization: an answer is good or bad by itself, measured from where the policy usually is."""

from __future__ import annotations

import torch
from torch import Tensor

from tiebreak.objectives.labelled import LabelledLogps
from tiebreak.objectives.pairs import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, ExampleWeight


@objective(whole_step=True, unpaired=True)
def kto(
    policy: LabelledLogps,
    reference: LabelledLogps,
    *,
    beta: Beta = 0.1,
    desirable_weight: ExampleWeight = 1.0,
    undesirable_weight: ExampleWeight = 1.0,
) -> Tensor:
    """Kahneman-Tversky optimization: learn from answers that were judged one by one, with no pairs.

    An answer's log-ratio is measured from the policy's divergence from the reference, estimated over the step from
    completions of other prompts, at least zero, and without a gradient. Beta scales their difference, inside the
    logistic function, as in the later versions of the paper; the first had it in the reward and the divergence.

    Args:
        policy, reference: log-probs of the completions of a whole step, each field of shape (n,), in nats.
        beta: how soon an answer is good or bad enough, > 0, per nat.
        desirable_weight, undesirable_weight: weights of good and of bad answers, > 0; the paper chooses them so that
            the two kinds weigh about alike in all.
    Returns:
        Loss of each completion, between 0 and its weight, shape (n,); half its weight where policy and reference agree.
    Source:
        Ethayarajh et al. 2024, arXiv 2402.01306, eq. 8.
    """
    usual = (policy.partner - reference.partner).mean().clamp(min=0).detach()
    gain = beta * (policy.logp - reference.logp - usual)
    good, bad = desirable_weight * (-gain).sigmoid(), undesirable_weight * gain.sigmoid()
    return torch.where(policy.desirable, good, bad)


@objective(whole_step=True)
def kto_pair(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.1) -> Tensor:
    """Kahneman-Tversky optimization on pairs: each ending is measured from the mean of the other side of the step.

    The mean log-ratio of the other side stands for the divergence; it is at least zero and has no gradient.

    Args:
        policy, reference: log-probs of the pairs of a whole step, each field of shape (pairs,), in nats.
        beta: how soon an ending is good or bad enough, > 0, per nat.
    Returns:
        Loss of each pair, the mean of its endings' losses, in (0, 1), shape (pairs,); 1/2 where policy and reference
        agree.
    Source:
        Ethayarajh et al. 2024, arXiv 2402.01306, eq. 8, applied to both endings of a pair.
    """
    chosen, rejected = log_ratios(policy, reference)
    usual_chosen, usual_rejected = (side.mean().clamp(min=0).detach() for side in (chosen, rejected))
    return ((beta * (usual_rejected - chosen)).sigmoid() + (beta * (rejected - usual_chosen)).sigmoid()) / 2
