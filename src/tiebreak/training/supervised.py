"""SupervisedTrainer: teaches a model to give the completions of demonstrations, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tiebreak.engine.batch import moved
from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.training.examples import Example
from tiebreak.training.tree_trainer import TreeTrainer


class SupervisedTrainer(TreeTrainer):
    """Trains on demonstrations: mean negative log-probability of all completion tokens of a step, in nats a token."""

    def counts(self, example: Example) -> float:
        """A demonstration counts its completion's tokens."""
        group = example.group
        return float(sum(len(group.targets(number)) for number in range(len(group.completions))))

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], reference_logps: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Negative log-probability of each completion, weighted."""
        weights = moved(torch.tensor([example.weight for example in examples]), scores.logp.device)
        return -weights * scores.logp, {}
