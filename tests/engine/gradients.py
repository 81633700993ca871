"""Gradients by the names of a model's parameters, and comparing tensors by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Gradients of a loss at all parameters that have one; none stay in the model."""
    model.zero_grad()
    torch.autograd.backward(loss)
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def assert_alike(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float) -> None:
    """The same names, and under each the same type and, within the tolerance, the same numbers.

    What is allowed goes by a tensor's largest number: its small ones are differences of sums as large as that.
    """
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        allowed = tolerance * max(1.0, float(value.abs().max()) if value.numel() else 0.0)
        torch.testing.assert_close(found[name], value, rtol=tolerance, atol=allowed, msg=_about(name))


def _about(name: str) -> Callable[[str], str]:
    return lambda message: f"{name}: {message}"
