"""PreferenceTrainer: trains a model on pairs with any objective, against a cached, a live, or no reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tiebreak.engine.batch import Batch, moved
from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.objectives import Loss, PairLogps, pair_metrics
from tiebreak.objectives.dpo import wpo_weights
from tiebreak.training.examples import Example
from tiebreak.training.live_reference import LiveReference, MovingReference, ReferenceModel
from tiebreak.training.tree_trainer import TreeTrainer


class ComparingTrainer(TreeTrainer):
    """Trains on completions whose log-probs are compared with a reference's.

    Args:
        objective: the loss, with its settings filled in.
        reference: scores the completions of a micro-batch whose reference log-probs are not cached; None where all are
            cached, or none is needed.
        moving: lets the reference follow the policy; None is a fixed one.
        settings: of `TreeTrainer`; an example carries the reference log-prob of each completion where it is cached.
    """

    def __init__(
        self,
        *args: Any,
        objective: Loss,
        reference: LiveReference | None = None,
        moving: MovingReference | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.objective: Loss = objective
        self.reference = reference
        self.moving = moving
        if moving is not None:
            self.add_callback(moving)

    @property
    def scoring(self) -> Sequence[nn.Module]:
        """A live reference that is a model."""
        return (self.reference.model,) if isinstance(self.reference, ReferenceModel) else ()

    @property
    def whole_step(self) -> bool:
        """Whether the objective compares the examples of a step."""
        return self.objective.whole_step

    def counts(self, example: Example) -> float:
        """An example counts once; its weight scales its loss."""
        return 1.0

    def reference_logps(self, batch: Batch, examples: Sequence[Example]) -> Tensor | None:
        """The reference's log-probs, shape (examples, 2): from the examples, or from the live reference."""
        if not self.objective.needs_reference:
            return None
        if all(example.reference for example in examples):
            return moved(torch.tensor([example.reference for example in examples]), self.args.device)
        if self.reference is None:
            raise ValueError("a completion has no reference log-prob, and there is no live reference")
        self.operations += self._cost.forward(batch)
        return self.reference(batch).view(-1, 2)

    def weights_of(self, examples: Sequence[Example]) -> Tensor:
        """The weight of each example, shape (examples,)."""
        return moved(torch.tensor([example.weight for example in examples]), self.args.device)

    def save_more(self, folder: Path) -> None:
        """Keep a reference that moves."""
        if self.moving is not None:
            self.moving.save(folder)

    def load_more(self, folder: Path) -> None:
        """Go on with the reference as it was."""
        if self.moving is not None:
            self.moving.load(folder)


class PreferenceTrainer(ComparingTrainer):
    """Trains on pairs; the completions of an example are the chosen one and the rejected one."""

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], reference_logps: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss of each pair, and the pair metrics."""
        policy = PairLogps(scores.logp[0::2], scores.logp[1::2], scores.tokens[0::2], scores.tokens[1::2])
        reference = (
            PairLogps(reference_logps[:, 0], reference_logps[:, 1], policy.chosen_tokens, policy.rejected_tokens)
            if reference_logps is not None
            else None
        )
        losses = self.weights_of(examples) * self.objective(policy, reference)
        if scores.confidence is not None:
            losses = losses * wpo_weights(scores.confidence[0::2], scores.confidence[1::2])
        metrics = pair_metrics(policy, reference, beta=self.objective.beta, reward=self.objective.reward)
        return losses, metrics | {
            "logits/chosen": scores.mean_logit[0::2],
            "logits/rejected": scores.mean_logit[1::2],
        }
