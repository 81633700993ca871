"""Log-probs of pairs, as most objectives take them, and the metrics that every preference run reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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


def log_ratios(policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
    """How much likelier the policy finds each ending than the reference does.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
    Returns:
        Log-ratios of the chosen and of the rejected endings, in nats, each of shape (pairs,).
    """
    return policy.chosen - reference.chosen, policy.rejected - reference.rejected


@torch.no_grad()
def pair_metrics(
    policy: PairLogps,
    reference: PairLogps | None,
    *,
    beta: float,
    reward: Literal["sum", "mean"] = "sum",
) -> dict[str, Tensor]:
    """The metrics that the ecosystem knows, of each pair.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats; without a reference the
            rewards are the policy's own log-probs times beta.
        beta: scale of the rewards, per nat.
        reward: whether a reward comes from the log-prob of the whole ending or from its mean over the tokens.
    Returns:
        For each name a tensor of shape (pairs,); a margin of exactly zero is not a right answer.
        `logps/chosen` and `logps/rejected` are sums always; `logps/accuracies` is the share of pairs whose chosen
        ending is the likelier one as a whole, reference aside.
    """
    chosen, rejected = _scored(policy, reward)
    if reference is not None:
        known_chosen, known_rejected = _scored(reference, reward)
        chosen, rejected = chosen - known_chosen, rejected - known_rejected
    chosen, rejected = beta * chosen, beta * rejected
    return {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/accuracies": (chosen > rejected).float(),
        "rewards/margins": chosen - rejected,
        "logps/chosen": policy.chosen.detach(),
        "logps/rejected": policy.rejected.detach(),
        "logps/accuracies": (policy.chosen > policy.rejected).float(),
    }


def _scored(pairs: PairLogps, reward: Literal["sum", "mean"]) -> tuple[Tensor, Tensor]:
    if reward == "mean":
        return pairs.mean_chosen, pairs.mean_rejected
    return pairs.chosen, pairs.rejected
