"""Log-probs to test objectives with: drawn, or written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import torch
from torch import Tensor

from tiebreak.objectives import Loss, PairLogps, UnpairedLogps
from tiebreak.objectives.logps import Logps


def drawn_pairs(seed: int, n: int = 16, *, grad: bool = False, spread: float = 50.0) -> PairLogps:
    draw = torch.Generator().manual_seed(seed)
    chosen, rejected = (-spread * torch.rand(n, generator=draw) for _ in range(2))
    tokens = torch.randint(1, 30, (n,), generator=draw).float()
    return PairLogps(chosen.requires_grad_(grad), rejected.requires_grad_(grad), tokens, tokens + 1)


def nearby(pairs: PairLogps, seed: int, spread: float = 5.0) -> PairLogps:
    """Pairs whose log-probs differ by a few nats, as a reference's do from a policy's."""
    draw = torch.Generator().manual_seed(seed)
    chosen, rejected = (
        side.detach() + spread * torch.randn(side.shape, generator=draw) for side in (pairs.chosen, pairs.rejected)
    )
    return PairLogps(chosen, rejected, pairs.chosen_tokens, pairs.rejected_tokens)


def pairs_of(
    chosen: Sequence[float], rejected: Sequence[float], *, tokens: float = 1.0, grad: bool = False
) -> PairLogps:
    better, worse = (torch.tensor(list(side), requires_grad=grad) for side in (chosen, rejected))
    return PairLogps(better, worse, torch.full((len(chosen),), tokens), torch.full((len(chosen),), tokens))


def zeros(n: int = 1, tokens: float = 1.0) -> PairLogps:
    return pairs_of([0.0] * n, [0.0] * n, tokens=tokens)


Some = TypeVar("Some", bound=Logps)


def only(logps: Some, order: Tensor) -> Some:
    """The pairs or completions of those numbers, in that order."""
    return type(logps)(**{field.name: getattr(logps, field.name)[order] for field in fields(logps)})


def drawn_for(loss: Loss, seed: int) -> Logps:
    """Sixteen pairs or unpaired completions, whichever the loss takes."""
    return drawn_unpaired(seed) if loss.task == "unpaired" else drawn_pairs(seed)


def drawn_unpaired(seed: int, n: int = 16, *, grad: bool = False) -> UnpairedLogps:
    draw = torch.Generator().manual_seed(seed)
    logp, mismatched = (-50 * torch.rand(n, generator=draw) for _ in range(2))
    tokens = torch.randint(1, 30, (n,), generator=draw).float()
    return UnpairedLogps(logp.requires_grad_(grad), tokens, mismatched, torch.arange(n) % 3 != 0)
