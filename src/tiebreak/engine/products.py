"""The matrix products of a model's linear layers on a CPU, forward and backward, done as fast as the machine can.

Two things make the usual way slow. In float32 the products go to a library that is made for other processors than many
of us have; oneDNN, which torch brings along too, is a tenth faster where we measured. In bfloat16 `torch.autocast` casts
each weight again in every pass; here the copy is kept until the weight changes.

Within `fast_products` the calls that linear layers make (`linear` and, in GPT-2, `addmm`) are taken over, whatever the
model; nothing in it is exchanged. Everything else runs as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

_copies: Any = WeakIdKeyDictionary()  # a weight's bfloat16 copy, and the version of the weight that it is of


def weight_in(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A weight in another type; the copy is kept until the weight changes or goes."""
    if weight.dtype == dtype:
        return weight.detach()
    version, copy = _copies.get(weight, (None, None))
    if version != weight._version or copy.dtype != dtype:
        copy = weight.detach().to(dtype)
        _copies[weight] = (weight._version, copy)
    found: Tensor = copy
    return found


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`.

    Args:
        x: shape (rows, in).
        weight: shape (out, in), in any layout.
        bias: shape (out,), or None.
    Returns:
        Shape (rows, out).
    """
    if x.dtype == torch.float32 and x.device.type == "cpu" and torch.backends.mkldnn.is_available():
        done: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return done
    return torch.nn.functional.linear(x, weight, bias)


class _Linear(torch.autograd.Function):
    """`x @ weight.T + bias`, the weight stored that way or (GPT-2's) transposed."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool, arithmetic: torch.dtype
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(arithmetic)
        matrix = weight_in(weight, arithmetic)
        ctx.save_for_backward(rows if ctx.needs_input_grad[1] else None, weight)
        ctx.matrix = matrix
        ctx.transposed, ctx.shape, ctx.x_type = transposed, x.shape, x.dtype
        ctx.bias_type = None if bias is None else bias.dtype
        out = multiply(
            rows, matrix.t() if transposed else matrix, None if bias is None else bias.detach().to(arithmetic)
        )
        return out.view(*x.shape[:-1], out.shape[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        matrix: Tensor = ctx.matrix
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        flat = grad.reshape(-1, grad.shape[-1]).to(matrix.dtype)
        d_x = d_weight = d_bias = None
        if wants_x:
            d_x = multiply(flat, matrix if ctx.transposed else matrix.t()).view(ctx.shape).to(ctx.x_type)
        if wants_weight:
            d_weight = (rows.t() @ flat if ctx.transposed else flat.t() @ rows).to(weight.dtype)
        if wants_bias:
            d_bias = flat.sum(0, dtype=torch.float32).to(ctx.bias_type)
        return d_x, d_weight, d_bias, None, None


class _FastProducts(TorchFunctionMode):
    def __init__(self, arithmetic: torch.dtype) -> None:
        super().__init__()
        self.arithmetic = arithmetic

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func is torch.nn.functional.linear and not given.keys() - {"bias"} and _is_weight(args[1]):
            bias = args[2] if len(args) > 2 else given.get("bias")
            return _Linear.apply(args[0], args[1], bias, False, self.arithmetic)  # type: ignore[no-untyped-call]
        if func is torch.addmm and not given and _is_weight(args[2]) and args[0].ndim == 1:
            return _Linear.apply(args[1], args[2], args[0], True, self.arithmetic)  # type: ignore[no-untyped-call]
        return func(*args, **given)


def _is_weight(tensor: Any) -> bool:
    return isinstance(tensor, torch.nn.Parameter) and tensor.ndim == 2 and tensor.dtype in _TYPES


_TYPES = (torch.float32, torch.bfloat16)


@contextmanager
def fast_products(device: torch.device, arithmetic: torch.dtype | None) -> Iterator[None]:
    """Within the block, linear layers on a CPU multiply the fast way; elsewhere nothing changes.

    Args:
        device: of the model.
        arithmetic: type of the products; None is float32.
    """
    if device.type != "cpu":
        yield
        return
    with _FastProducts(arithmetic or torch.float32):
        yield
