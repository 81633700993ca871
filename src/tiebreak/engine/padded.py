"""The padded batch: one row a sequence, filled up to the longest. Right for every causal model, and slower.

Used where a model cannot take trees, and as the yardstick of the self-check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tiebreak.engine.memory import moved
from tiebreak.engine.sequences import ScoredGroup


@dataclass(frozen=True)
class PaddedBatch:
    """Sequences one a row, padded on the right.

    Attributes:
        input_ids: token ids, shape (sequences, longest), int64; the padding is 0 and masked.
        attention_mask: 1 for tokens, 0 for padding, same shape.
        scored: 1 where a token belongs to an ending, same shape, bool.
        targets: how many tokens are scored.
    """

    input_ids: Tensor
    attention_mask: Tensor
    scored: Tensor
    targets: int

    @property
    def sequences(self) -> int:
        """How many sequences."""
        return int(self.input_ids.shape[0])

    @property
    def tokens(self) -> int:
        """Tokens that are computed, padding included."""
        return int(self.input_ids.numel())

    def to(self, device: torch.device) -> PaddedBatch:
        """The same batch with its tensors on a device."""
        return PaddedBatch(
            moved(self.input_ids, device),
            moved(self.attention_mask, device),
            moved(self.scored, device),
            self.targets,
        )


def build_padded(groups: Sequence[ScoredGroup]) -> PaddedBatch:
    """Lay groups out one sequence a row, group by group, ending by ending."""
    rows = [(group.prompt + ending, len(group.prompt)) for group in groups for ending in group.endings]
    longest = max(len(tokens) for tokens, _ in rows)
    input_ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    attention_mask = torch.zeros_like(input_ids)
    scored = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, (tokens, prompt_length) in enumerate(rows):
        input_ids[i, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        attention_mask[i, : len(tokens)] = 1
        scored[i, prompt_length : len(tokens)] = True
    targets = sum(len(tokens) - length for tokens, length in rows)
    return PaddedBatch(input_ids, attention_mask, scored, targets)
