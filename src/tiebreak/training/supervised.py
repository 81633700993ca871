"""SupervisedTrainer: teaches a model to give the endings of demonstrations, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.engine.memory import moved
from tiebreak.training.examples import Example
from tiebreak.training.tree_trainer import TreeTrainer


class SupervisedTrainer(TreeTrainer):
    """Trains on demonstrations: the mean negative log-probability of all ending tokens of a step, in nats a token."""

    def counts(self, example: Example) -> float:
        """A demonstration counts its ending's tokens."""
        return float(sum(map(len, example.group.endings)))

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], known: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Negative log-probability of each ending, weighted."""
        weights = moved(torch.tensor([example.weight for example in examples]), scores.logp.device)
        return -weights * scores.logp, {}
