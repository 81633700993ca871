"""The few functions of torch that losses call, with torch imported by the first call.

A recipe is checked, and the objectives are listed, from the losses' signatures alone: their modules load without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def logsigmoid(x: Tensor) -> Tensor:
    """log(1 / (1 + exp(-x))), of the shape of x."""
    from torch.nn.functional import logsigmoid as function

    return function(x)


def where(condition: Tensor, values: Tensor, others: Tensor) -> Tensor:
    """Values where the condition holds, others elsewhere; all of one shape."""
    import torch

    return torch.where(condition, values, others)


def epsilon(x: Tensor) -> float:
    """The distance from 1 to the next number that x's type can hold."""
    import torch

    return torch.finfo(x.dtype).eps
