"""PreferenceTrainer: trains a model on pairs with any objective of the registry, against cached reference log-probs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.objectives import PairLogps, pair_metrics
from tiebreak.objectives.registry import PairLoss
from tiebreak.training.examples import Example
from tiebreak.training.tree_trainer import TreeTrainer


class PreferenceTrainer(TreeTrainer):
    """Trains on pairs.

    Args:
        objective: `(policy, reference) -> loss of each pair`, with its settings filled in.
        beta: scale of the reported rewards, per nat.
        settings: of `TreeTrainer`; every example carries two reference log-probs, chosen first.
    """

    def __init__(self, *args: Any, objective: PairLoss, beta: float, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.objective: PairLoss = objective
        self.beta = beta

    def counts(self, example: Example) -> float:
        """A pair counts once; its weight scales its loss."""
        return 1.0

    def loss_of(self, scores: SequenceLogps, examples: Sequence[Example]) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss of each pair, and the sums of the pair metrics."""
        device = scores.logp.device
        policy = PairLogps(scores.logp[0::2], scores.logp[1::2], scores.tokens[0::2], scores.tokens[1::2])
        known = torch.tensor([example.reference for example in examples], device=device)
        reference = PairLogps(known[:, 0], known[:, 1], policy.chosen_tokens, policy.rejected_tokens)
        weights = torch.tensor([example.weight for example in examples], device=device)
        losses = weights * self.objective(policy, reference)
        metrics = pair_metrics(policy, reference, beta=self.beta) | {
            "logits/chosen": scores.mean_logit[0::2],
            "logits/rejected": scores.mean_logit[1::2],
        }
        return losses, {name: value.detach().sum() for name, value in metrics.items()}
