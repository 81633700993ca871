"""Weights that are no numbers: found when a model was loaded, before anything is computed with them.

Knows tensors by their names; nothing of how a model was trained.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tiebreak.errors import InputError

_SHOWN = 3


def check_finite(model: nn.Module, name: str) -> None:
    """Refuse a model in which a weight is NaN or infinite.

    Args:
        model: as it was loaded, with its adapters.
        name: of the model, as the user gave it.
    Raises:
        InputError: with the names of the first tensors, and how many of their numbers are not finite.
    """
    found = list(_broken(model))
    if not found:
        return
    named = [f"{tensor} ({count:,} of {size:,} numbers)" for tensor, count, size in found[:_SHOWN]]
    more = f", and {len(found) - _SHOWN:,} more tensors" if len(found) > _SHOWN else ""
    raise InputError(
        f"The model has weights that are NaN or infinite: {', '.join(named)}{more}.",
        where=name,
        fix="take another copy of it: nothing can be computed with these weights",
    )


@torch.no_grad()
def _broken(model: nn.Module) -> Iterator[tuple[str, int, int]]:
    """Name, count of what is not finite, and size of each tensor in which something is not."""
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor) and (tensor.is_floating_point() or tensor.is_complex()):
            finite = torch.isfinite(tensor)
            if not bool(finite.all()):
                yield name, int((~finite).sum()), tensor.numel()
