"""PreferenceTrainer: trains a model on pairs with any objective, against a cached or a live reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.logprobs import Batch, SequenceLogps, sequence_logps
from tiebreak.engine.memory import moved
from tiebreak.objectives import PairLogps, pair_metrics
from tiebreak.objectives.registry import PairLoss
from tiebreak.training.examples import Example
from tiebreak.training.tree_trainer import TreeTrainer


class PreferenceTrainer(TreeTrainer):
    """Trains on pairs.

    Args:
        objective: `(policy, reference) -> loss of each pair`, with its settings filled in.
        beta: scale of the reported rewards, per nat.
        reference: a frozen model that scores the pairs whose reference log-probs are not known, micro-batch by
            micro-batch, beside the policy; None where all are known.
        settings: of `TreeTrainer`; an example carries its two reference log-probs, chosen first, where they are known.
    """

    def __init__(
        self,
        *args: Any,
        objective: PairLoss,
        beta: float,
        reference: PreTrainedModel | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.objective: PairLoss = objective
        self.beta = beta
        self.reference = reference

    def counts(self, example: Example) -> float:
        """A pair counts once; its weight scales its loss."""
        return 1.0

    def known_of(self, batch: Batch, examples: Sequence[Example]) -> Tensor:
        """The reference's log-probs, shape (pairs, 2): from the examples, or from the live reference."""
        if all(example.reference for example in examples):
            return moved(torch.tensor([example.reference for example in examples]), self.args.device)
        if self.reference is None:
            raise ValueError("a pair has no reference log-probs, and there is no live reference")
        with torch.no_grad():
            scores = sequence_logps(self.reference, batch, autocast=self.scorer.autocast)
        self.operations += self._cost.forward(batch)
        return scores.logp.view(-1, 2)

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], known: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss of each pair, and the sums of the pair metrics."""
        if known is None:
            raise ValueError("a preference needs the reference's log-probs")
        policy = PairLogps(scores.logp[0::2], scores.logp[1::2], scores.tokens[0::2], scores.tokens[1::2])
        reference = PairLogps(known[:, 0], known[:, 1], policy.chosen_tokens, policy.rejected_tokens)
        weights = moved(torch.tensor([example.weight for example in examples]), policy.chosen.device)
        losses = weights * self.objective(policy, reference)
        metrics = pair_metrics(policy, reference, beta=self.beta) | {
            "logits/chosen": scores.mean_logit[0::2],
            "logits/rejected": scores.mean_logit[1::2],
        }
        return losses, {name: value.detach().sum() for name, value in metrics.items()}
