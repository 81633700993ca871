"""Log-probs of pairs, as every objective takes them, and the metrics that every preference run reports."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PairLogps:
    """What one model says of the two endings of each pair.

    Attributes:
        chosen, rejected: sums of token log-probabilities, in nats, shape (pairs,).
        chosen_tokens, rejected_tokens: tokens of the endings, shape (pairs,).
    """

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor

    @property
    def mean_chosen(self) -> Tensor:
        """Log-probability a token of the chosen ending, in nats, shape (pairs,)."""
        return self.chosen / self.chosen_tokens

    @property
    def mean_rejected(self) -> Tensor:
        """Log-probability a token of the rejected ending, in nats, shape (pairs,)."""
        return self.rejected / self.rejected_tokens


@torch.no_grad()
def pair_metrics(policy: PairLogps, reference: PairLogps, *, beta: float) -> dict[str, Tensor]:
    """The metrics that the ecosystem knows, of each pair.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: scale of the rewards, per nat.
    Returns:
        For each name a tensor of shape (pairs,); a margin of exactly zero is not a right answer.
        `logps/accuracies` is the share of pairs whose chosen ending is the likelier one, reference aside.
    """
    chosen = beta * (policy.chosen - reference.chosen)
    rejected = beta * (policy.rejected - reference.rejected)
    return {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/accuracies": (chosen > rejected).float(),
        "rewards/margins": chosen - rejected,
        "logps/chosen": policy.chosen,
        "logps/rejected": policy.rejected,
        "logps/accuracies": (policy.chosen > policy.rejected).float(),
    }
