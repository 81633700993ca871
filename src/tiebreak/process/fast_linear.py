"""The matrix products of linear layers on a CPU, forward and backward, done as fast as the machine can.

Two things make the usual way slow. In float32 the products go to a library that is made for other processors than many
of us have; oneDNN, which torch brings along too, is a tenth faster where we measured. In bfloat16 `torch.autocast`
casts each weight again in every pass; here the copies are kept for all passes of a step.

`fast_linear` intercepts the calls of `torch.nn.functional.linear` and (GPT-2's layers) `torch.addmm`, in its thread and
within its block only, and computes them here where the second operand is a parameter. Nothing is replaced, neither in
torch nor in the model. The products are done in the type that autocast says at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode


class _State(threading.local):
    """What holds in this thread: copies of weights that are kept, by the weight's id, and how deep in blocks we are."""

    copies: dict[int, tuple[Tensor, Tensor]] | None = None
    blocks: int = 0


_state = _State()


@contextmanager
def keeping_copies() -> Iterator[None]:
    """Within the block, this thread casts a weight to another type once. The weights must not change within it."""
    before = _state.copies
    _state.copies = {} if before is None else before
    try:
        yield
    finally:
        _state.copies = before


def weight_in(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A weight in another type, without its gradient."""
    if weight.dtype == dtype:
        return weight.detach()
    copies = _state.copies
    if copies is None:
        return weight.detach().to(dtype)
    held = copies.get(id(weight))
    if held is None or held[1].dtype != dtype:
        held = copies[id(weight)] = (weight, weight.detach().to(dtype))
    return held[1]


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`.

    Args:
        x: shape (rows, in).
        weight: shape (out, in), in any layout.
        bias: shape (out,), or None.
    Returns:
        Shape (rows, out).
    """
    if x.dtype == torch.float32 and x.device.type == "cpu" and torch._C._has_mkldnn:
        done: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return done
    return torch.nn.functional.linear(x, weight, bias)


class _Linear(torch.autograd.Function):
    """`x @ weight.T + bias`, the weight stored that way or (GPT-2's) transposed."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool, dtype: torch.dtype
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(dtype)
        matrix = weight_in(weight, dtype)
        ctx.save_for_backward(rows if ctx.needs_input_grad[1] else None, weight)
        ctx.matrix = matrix
        ctx.transposed, ctx.shape, ctx.x_type = transposed, x.shape, x.dtype
        ctx.bias_type = None if bias is None else bias.dtype
        out = multiply(rows, matrix.t() if transposed else matrix, None if bias is None else bias.detach().to(dtype))
        # Not a view: some models go on in place, which autograd forbids on a view made in here.
        whole: Tensor = torch.ops.aten._unsafe_view(out, [*x.shape[:-1], out.shape[-1]])
        return whole

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


class _Intercepting(TorchFunctionMode):
    """Sees every call of a torch function in its thread, and takes over those of linear layers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func is torch.nn.functional.linear and len(args) > 1 and not given.keys() - {"bias"}:
            bias = args[2] if len(args) > 2 else given.get("bias")
            dtype = _compute_dtype(args[0], args[1])
            if dtype is not None:
                return _Linear.apply(args[0], args[1], bias, False, dtype)  # type: ignore[no-untyped-call]
        if func is torch.addmm and len(args) == 3 and not given and args[0].shape == args[2].shape[1:]:
            dtype = _compute_dtype(args[1], args[2])
            if dtype is not None:
                return _Linear.apply(args[1], args[2], args[0], True, dtype)  # type: ignore[no-untyped-call]
        return func(*args, **given)


def _compute_dtype(x: Tensor, weight: Tensor) -> torch.dtype | None:
    """The type in which a layer multiplies; None where it is not a layer that is taken over."""
    if not isinstance(weight, torch.nn.Parameter) or weight.ndim != 2 or weight.device.type != "cpu":
        return None
    if torch.is_autocast_enabled("cpu"):
        found = torch.get_autocast_dtype("cpu")
    elif x.dtype == weight.dtype:
        found = weight.dtype
    else:
        return None
    return found if found in (torch.float32, torch.bfloat16) and weight.dtype in (torch.float32, found) else None


@contextmanager
def fast_linear(device: torch.device) -> Iterator[None]:
    """Intercept this thread's calls of `linear` and `addmm` while the block lasts, to multiply on a CPU the fast way.

    Args:
        device: where the layers are; on any but a CPU nothing is intercepted.
    """
    if device.type != "cpu":
        yield
        return
    _state.blocks += 1
    try:
        with _Intercepting():
            yield
    finally:
        _state.blocks -= 1


def same_again() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """For `torch.utils.checkpoint`: contexts of a layer's first pass and of its recomputation, which multiply alike."""
    return nullcontext(), _Intercepting() if _state.blocks else nullcontext()
