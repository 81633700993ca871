"""Scores of several micro-batches put together, as if they had been one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tiebreak.engine.logprobs import SequenceLogps

Scored = tuple[SequenceLogps, Tensor | None]


def joined(parts: Sequence[Scored]) -> Scored:
    """One after the other.

    Args:
        parts: of each micro-batch the model's scores, fields of shape (sequences,), and what they are compared with,
            shape (examples, endings) or None; at least one part, and with all or none of them compared.
    """
    scores = [score for score, _ in parts]
    known = [found for _, found in parts if found is not None]
    confidence = [score.confidence for score in scores if score.confidence is not None]
    together = SequenceLogps(
        torch.cat([score.logp for score in scores]),
        torch.cat([score.tokens for score in scores]),
        torch.cat([score.mean_logit for score in scores]),
        torch.cat(confidence) if confidence else None,
    )
    return together, torch.cat(known) if known else None
