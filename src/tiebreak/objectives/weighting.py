"""Weights of pairs by what the policy itself finds likely: WPO."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def wpo_weights(chosen: Tensor, rejected: Tensor) -> Tensor:
    """How much a pair counts: the more the likelier the policy is to give its endings.

    Args:
        chosen, rejected: confidence of the policy in each ending, the mean over its tokens of their log-probability
            less that of two equal draws, in nats, shape (pairs,).
    Returns:
        Weights in (0, 1], shape (pairs,).
    Source:
        Zhou et al. 2024, WPO, arXiv 2406.11827, eq. 2 with its alignment of weights; bounded by 1 as its authors do.
    """
    return torch.exp(chosen + rejected).clamp(max=1.0)
