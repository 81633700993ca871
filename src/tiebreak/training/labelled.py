"""LabelledTrainer: trains a model on single endings that were found good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.engine.memory import moved
from tiebreak.objectives import LabelledLogps, labelled_metrics
from tiebreak.training.examples import Example
from tiebreak.training.trainer import ComparingTrainer


class LabelledTrainer(ComparingTrainer):
    """Trains on labelled endings; the endings of an example are its own and one that belongs to another prompt."""

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], known: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss of each ending, and the metrics of good and of bad ones."""
        if known is None:
            raise ValueError("labelled endings are compared with a reference")
        desirable = moved(torch.tensor([example.desirable for example in examples]), scores.logp.device)

        def logps(logp: Tensor) -> LabelledLogps:
            return LabelledLogps(logp[0::2], scores.tokens[0::2], logp[1::2], desirable)

        policy, reference = logps(scores.logp), logps(known.flatten())
        losses = self.weights_of(examples) * self.objective(policy, reference)
        return losses, labelled_metrics(policy, reference, beta=self.objective.beta)

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """How far the good endings' mean reward is above the bad ones'."""
        if not {"rewards/chosen", "rewards/rejected"} <= means.keys():
            return {}
        return {"rewards/margins": means["rewards/chosen"] - means["rewards/rejected"]}
