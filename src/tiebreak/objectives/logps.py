"""What a model says of completions, in log-probs: the losses' arguments; and the metrics that a run reports of them.

Of pairs, which most objectives take, and of unpaired completions, which KTO takes. Knows no loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class PairLogps:
    """What one model says of the two completions of each pair.

    Attributes:
        chosen, rejected: sums of token log-probabilities, in nats, shape (pairs,).
        chosen_tokens, rejected_tokens: tokens of the completions, shape (pairs,).
    """

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor

    @property
    def shape(self) -> torch.Size:
        """(pairs,): of every field, and of a loss."""
        return self.chosen.shape

    @property
    def mean_chosen(self) -> Tensor:
        """Log-probability a token of the chosen completion, in nats, shape (pairs,)."""
        return self.chosen / self.chosen_tokens

    @property
    def mean_rejected(self) -> Tensor:
        """Log-probability a token of the rejected completion, in nats, shape (pairs,)."""
        return self.rejected / self.rejected_tokens


@dataclass(frozen=True)
class UnpairedLogps:
    """What one model says of completions that were judged one by one.

    Attributes:
        logp: sums of token log-probabilities, in nats, shape (n,).
        tokens: tokens of the completions, shape (n,).
        mismatched: log-probability, in nats, of a completion that belongs to another prompt, given this prompt,
            shape (n,); it serves only to estimate how far the policy is from the reference.
        desirable: whether the completion was judged good, bool, shape (n,).
    """

    logp: Tensor
    tokens: Tensor
    mismatched: Tensor
    desirable: Tensor

    @property
    def shape(self) -> torch.Size:
        """(n,): of every field, and of a loss."""
        return self.logp.shape


Logps = PairLogps | UnpairedLogps


def log_ratios(policy: PairLogps, reference: PairLogps) -> tuple[Tensor, Tensor]:
    """How much likelier the policy finds each completion than the reference does.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
    Returns:
        Log-ratios of the chosen and of the rejected completions, in nats, each of shape (pairs,).
    """
    return policy.chosen - reference.chosen, policy.rejected - reference.rejected


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
        reward: whether a reward comes from the log-prob of the whole completion or from its mean over the tokens.
    Returns:
        For each name a tensor of shape (pairs,) without a gradient; a margin of exactly zero is not a right answer.
        `logps/chosen` and `logps/rejected` are sums always; `logps/accuracies` is the share of pairs whose chosen
        completion is the likelier one as a whole, reference aside.
    """
    chosen, rejected = _rewarded(policy, reward)
    if reference is not None:
        reference_chosen, reference_rejected = _rewarded(reference, reward)
        chosen, rejected = chosen - reference_chosen, rejected - reference_rejected
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


def _rewarded(pairs: PairLogps, reward: Literal["sum", "mean"]) -> tuple[Tensor, Tensor]:
    """What rewards are made of, without a gradient: sums of token log-probs, or their means."""
    if reward == "mean":
        return pairs.mean_chosen.detach(), pairs.mean_rejected.detach()
    return pairs.chosen.detach(), pairs.rejected.detach()


def unpaired_metrics(policy: UnpairedLogps, reference: UnpairedLogps, *, beta: float) -> dict[str, Tensor]:
    """The metrics of each unpaired completion, under the names that pairs have.

    Args:
        policy, reference: log-probs of the completions, each field of shape (n,), in nats.
        beta: scale of the rewards, per nat.
    Returns:
        For each name a tensor of shape (n,) without a gradient, NaN where the metric does not apply: `rewards/chosen`
        and `logps/chosen` are of desirable completions only, `rewards/rejected` and `logps/rejected` of undesirable
        ones. `kl` is each completion's part in the estimate of the divergence, in nats, before it is clamped.
    """
    logp, good = policy.logp.detach(), policy.desirable
    rewards = beta * (logp - reference.logp.detach())
    return {
        "rewards/chosen": _only(rewards, good),
        "rewards/rejected": _only(rewards, ~good),
        "logps/chosen": _only(logp, good),
        "logps/rejected": _only(logp, ~good),
        "kl": policy.mismatched.detach() - reference.mismatched.detach(),
    }


def _only(values: Tensor, among: Tensor) -> Tensor:
    return values.masked_fill(~among, float("nan"))
