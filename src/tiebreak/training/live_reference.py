"""Live references: what scores the pairs of a micro-batch while the policy is trained on them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_model as load_weights
from safetensors.torch import save_model as save_weights
from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tiebreak.engine.batch import Batch
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.score import Scorer
from tiebreak.models.adapters import has_adapter, without_adapter

LiveReference = Callable[[Batch], Tensor]
_FILE = "reference.safetensors"


@dataclass(frozen=True)
class ReferenceModel:
    """A reference that is computed with: a frozen model, or the policy's own with its adapter switched off.

    Attributes:
        model: the frozen model; or the policy's, where it has an adapter.
        scorer: how it scores.
    """

    model: PreTrainedModel
    scorer: Scorer

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        """Log-probs of a batch's completions, in nats, shape (sequences,)."""
        with without_adapter(self.model) if has_adapter(self.model) else nullcontext():
            scores = sequence_logps(
                self.model, batch, autocast=self.scorer.autocast, measures=self.scorer.measures.sums_only()
            )
        return scores.logp


class MovingReference(TrainerCallback):
    """Lets a frozen model follow the policy, every so many steps.

    Args:
        model: the reference, with the policy's architecture and types.
        update: `hard` copies the policy's weights, `soft` mixes them in.
        every: steps between two updates.
        mix: the policy's share in a soft update.
    Source:
        Gorbatovski et al. 2024, TR-DPO, arXiv 2404.09656, eq. 2 and 3.
    """

    def __init__(self, model: PreTrainedModel, update: Literal["soft", "hard"], *, every: int, mix: float) -> None:
        self.model = model
        self.share = 1.0 if update == "hard" else mix
        self.every = every

    @torch.no_grad()
    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """Update the reference where a step is due."""
        if state.global_step % self.every:
            return
        for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.lerp_(theirs.to(mine.dtype), self.share)

    def save(self, folder: Path) -> None:
        """Write the reference into a checkpoint: a resumed run goes on with it."""
        save_weights(self.model, str(folder / _FILE))

    def load(self, folder: Path) -> None:
        """Take over the reference of a checkpoint."""
        load_weights(self.model, str(folder / _FILE))
