"""Log-probs of single judged answers, good or bad, and the metrics of runs that learn from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LabelledLogps:
    """What one model says of completions that were judged one by one.

    Attributes:
        logp: sums of token log-probabilities, in nats, shape (n,).
        tokens: tokens of the completions, shape (n,).
        partner: log-probability, in nats, of a completion that belongs to another prompt, given this prompt,
            shape (n,); it serves only to estimate how far the policy is from the reference.
        desirable: whether the completion was judged good, bool, shape (n,).
    """

    logp: Tensor
    tokens: Tensor
    partner: Tensor
    desirable: Tensor


@torch.no_grad()
def labelled_metrics(policy: LabelledLogps, reference: LabelledLogps, *, beta: float) -> dict[str, Tensor]:
    """The metrics of each judged completion, under the names that pairs have.

    Args:
        policy, reference: log-probs of the completions, each field of shape (n,), in nats.
        beta: scale of the rewards, per nat.
    Returns:
        For each name a tensor of shape (n,), NaN where the metric does not apply: `rewards/chosen` and `logps/chosen`
        are of desirable completions only, `rewards/rejected` and `logps/rejected` of undesirable ones.
        `kl` is each completion's part in the estimate of the divergence, in nats, before it is clamped.
    """
    rewards = beta * (policy.logp - reference.logp)
    good = policy.desirable
    return {
        "rewards/chosen": _only(rewards, good),
        "rewards/rejected": _only(rewards, ~good),
        "logps/chosen": _only(policy.logp, good),
        "logps/rejected": _only(policy.logp, ~good),
        "kl": policy.partner - reference.partner,
    }


def _only(values: Tensor, where: Tensor) -> Tensor:
    return torch.where(where, values, torch.full_like(values, float("nan")))
