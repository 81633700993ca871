"""UnpairedTrainer: trains a model on single completions that were found good or bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tiebreak.engine.batch import moved
from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.objectives import UnpairedLogps, unpaired_metrics
from tiebreak.training.examples import Example
from tiebreak.training.preference import ComparingTrainer


class UnpairedTrainer(ComparingTrainer):
    """Trains on unpaired completions; an example holds its own and a mismatched one, of another prompt."""

    informing = (1,)

    def loss_of(
        self, scores: SequenceLogps, examples: Sequence[Example], reference_logps: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss of each completion, and the metrics of good and of bad ones."""
        if reference_logps is None:
            raise ValueError("unpaired completions are compared with a reference")
        desirable = moved(torch.tensor([example.desirable for example in examples]), scores.logp.device)

        def logps(logp: Tensor) -> UnpairedLogps:
            return UnpairedLogps(logp[0::2], scores.tokens[0::2], logp[1::2], desirable)

        policy, reference = logps(scores.logp), logps(reference_logps.flatten())
        losses = self.weights_of(examples) * self.objective(policy, reference)
        return losses, unpaired_metrics(policy, reference, beta=self.objective.beta)

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """How far the good completions' mean reward is above the bad ones'."""
        if not {"rewards/chosen", "rewards/rejected"} <= means.keys():
            return {}
        return {"rewards/margins": means["rewards/chosen"] - means["rewards/rejected"]}
