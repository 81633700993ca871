"""Linear layers within `fast_linear` compute what they compute without, and leave nothing behind."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tests.architectures import ARCHITECTURES
from tests.engine.gradients import assert_alike
from tests.engine.groups import GROUPS
from tiebreak.engine.layout import build_padded, build_tree
from tiebreak.engine.logprobs import SequenceLogps, sequence_logps
from tiebreak.process.fast_linear import fast_linear, keeping_copies, multiply, same_again, weight_in

CPU = torch.device("cpu")
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 5),
    "linear without bias": lambda: nn.Linear(6, 5, bias=False),
    "conv1d": lambda: Conv1D(5, 6),  # type: ignore[no-untyped-call]
}


@contextmanager
def in_bfloat16() -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16), fast_linear(CPU):
        yield


def _a_token(scores: SequenceLogps) -> Tensor:
    """Log-probs in nats a token, shape (sequences,)."""
    return scores.logp / scores.tokens


def _layer(name: str) -> nn.Module:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def _linear(*, bias: bool = True) -> nn.Linear:
    layer = _layer("linear" if bias else "linear without bias")
    assert isinstance(layer, nn.Linear)
    return layer


def _input(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def _run(layer: nn.Module, x: Tensor, *, fast: bool, arithmetic: torch.dtype | None = None) -> dict[str, Tensor]:
    """What a layer gives, and the gradients of a weighted sum of it."""
    layer, x = copy.deepcopy(layer), x.detach().clone().requires_grad_(x.requires_grad)
    with torch.autocast("cpu", dtype=arithmetic or torch.bfloat16, enabled=arithmetic is not None):
        if fast:
            with fast_linear(CPU):
                y = layer(x)
        else:
            y = layer(x)
    torch.autograd.backward((y.float() * torch.linspace(-1, 2, y.numel()).view(y.shape)).sum())
    gradients = {name: p.grad for name, p in layer.named_parameters() if p.grad is not None}
    return {"out": y.detach(), **gradients} | ({} if x.grad is None else {"x": x.grad})


@pytest.mark.parametrize("name", sorted(LAYERS))
@pytest.mark.parametrize("shape", [(6,), (1, 6), (4, 6), (2, 3, 6), (0, 6)])
@pytest.mark.parametrize("arithmetic", [None, torch.bfloat16])
def test_layers_compute_what_they_do_outside(name: str, shape: tuple[int, ...], arithmetic: torch.dtype | None) -> None:
    layer, x = _layer(name), _input(*shape).requires_grad_()
    expected = _run(layer, x, fast=False, arithmetic=arithmetic)
    assert_alike(_run(layer, x, fast=True, arithmetic=arithmetic), expected, 1e-5 if arithmetic is None else 3e-2)


@pytest.mark.parametrize("name", sorted(LAYERS))
@pytest.mark.parametrize("frozen", ["weight", "bias", "input"])
def test_what_is_frozen_gets_no_gradient(name: str, frozen: str) -> None:
    layer, x = _layer(name), _input(2, 3, 6).requires_grad_(frozen != "input")
    for key, parameter in layer.named_parameters():
        parameter.requires_grad_(key != frozen)
    assert_alike(_run(layer, x, fast=True), _run(layer, x, fast=False), 1e-5)


def test_an_input_that_is_not_contiguous() -> None:
    layer, x = _linear(), _input(3, 6, 2).transpose(1, 2).requires_grad_()
    assert_alike(_run(layer, x, fast=True), _run(layer, x, fast=False), 1e-5)


def test_a_layer_called_twice_gets_the_sum_of_gradients() -> None:
    layer = _linear()
    other = copy.deepcopy(layer)
    x, z = _input(4, 6), _input(2, 6)
    with fast_linear(CPU):
        torch.autograd.backward(layer(x).sum() + layer(z).sin().sum())
    torch.autograd.backward(other(x).sum() + other(z).sin().sum())
    torch.testing.assert_close(layer.weight.grad, other.weight.grad)
    torch.testing.assert_close(layer.bias.grad, other.bias.grad)


@pytest.mark.parametrize("bias", [None, _input(5)])
def test_multiply_takes_a_weight_in_any_layout(bias: Tensor | None) -> None:
    x, weight = _input(4, 6), _input(6, 5).t()
    expected = x @ weight.t() + (0 if bias is None else bias)
    torch.testing.assert_close(multiply(x, weight, bias), expected)


# The copy of a weight in another type.

CHANGES: dict[str, Callable[[nn.Parameter], object]] = {}


def _changes(name: str) -> Callable[[Callable[[nn.Parameter], object]], Callable[[nn.Parameter], object]]:
    def register(change: Callable[[nn.Parameter], object]) -> Callable[[nn.Parameter], object]:
        CHANGES[name] = change
        return change

    return register


CHANGES |= {
    "AdamW": lambda w: torch.optim.AdamW([w], lr=0.5, foreach=False).step(),
    "foreach AdamW": lambda w: torch.optim.AdamW([w], lr=0.5, foreach=True).step(),
    "fused AdamW": lambda w: torch.optim.AdamW([w], lr=0.5, fused=True).step(),
    "SGD": lambda w: torch.optim.SGD([w], lr=0.5).step(),
    "fused SGD": lambda w: torch.optim.SGD([w], lr=0.5, fused=True).step(),
}


@_changes("load_state_dict")
def _load(weight: nn.Parameter) -> None:
    layer = nn.Linear(6, 5, bias=False)
    layer.weight = weight
    layer.load_state_dict({"weight": torch.ones(5, 6)})


@_changes("data replaced")
def _replace_data(weight: nn.Parameter) -> None:
    weight.data = torch.ones(5, 6)


@_changes("data changed")
def _change_data(weight: nn.Parameter) -> None:
    weight.data.add_(1)


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_changed_weight_is_seen(change: str) -> None:
    layer, x = _linear(bias=False), _input(3, 6)
    with in_bfloat16():
        before = layer(x).detach()
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    weight.grad = torch.ones(5, 6)
    CHANGES[change](weight)
    with in_bfloat16():
        after = layer(x).detach()
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, nn.functional.linear(x.bfloat16(), layer.weight.detach().bfloat16()))


def test_after_steps_of_the_trainers_optimizer_trees_still_agree_with_padded_batches_in_bfloat16() -> None:
    model = ARCHITECTURES["qwen2"]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    for _ in range(4):
        optimizer.zero_grad()
        torch.autograd.backward(-_a_token(sequence_logps(model, build_tree(GROUPS), autocast=torch.bfloat16)).mean())
        optimizer.step()
    with torch.no_grad():
        trees = sequence_logps(model, build_tree(GROUPS), autocast=torch.bfloat16)
        padded = sequence_logps(model, build_padded(GROUPS), autocast=torch.bfloat16)
    torch.testing.assert_close(_a_token(trees), _a_token(padded), rtol=0, atol=0.1)


def test_a_weight_is_cast_once_within_a_block_of_kept_copies_and_forgotten_after_it() -> None:
    weight = _linear().weight
    with keeping_copies():
        kept = weight_in(weight, torch.bfloat16)
        with keeping_copies():
            assert weight_in(weight, torch.bfloat16) is kept
        assert weight_in(weight, torch.bfloat16) is kept
    assert weight_in(weight, torch.bfloat16) is not kept
    assert weight_in(weight, torch.float32).data_ptr() == weight.data_ptr()


def test_kept_copies_are_freed_with_the_block() -> None:
    layer = _linear()
    with keeping_copies(), in_bfloat16():
        torch.autograd.backward(layer(_input(3, 6)).sum())
        copied = weakref.ref(weight_in(layer.weight, torch.bfloat16))
        assert copied() is not None
    gc.collect()
    assert copied() is None


def test_kept_copies_belong_to_a_thread() -> None:
    found: list[bool] = []
    weight = _linear().weight
    with keeping_copies():
        kept = weight_in(weight, torch.bfloat16)
        thread = threading.Thread(target=lambda: found.append(weight_in(weight, torch.bfloat16) is kept))
        thread.start()
        thread.join()
    assert found == [False]


def test_a_weight_changed_before_the_backward_pass_is_an_error() -> None:
    layer = _linear()
    with fast_linear(CPU):
        y = layer(_input(3, 6)).sum()
    with torch.no_grad():
        layer.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.backward(y)


def test_a_backward_pass_uses_the_weight_of_its_forward_pass() -> None:
    layer, x = _linear(), _input(3, 6).requires_grad_()
    with in_bfloat16():
        y = layer(x)
    (first,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (again,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(again, first)


# Where the block ends, and what it leaves alone.


def _taken_over(y: Tensor) -> bool:
    return type(y.grad_fn).__name__ == "_LinearBackward"


def test_after_the_block_everything_is_as_before() -> None:
    layer, x = _linear(), _input(3, 6)
    with fast_linear(CPU):
        assert _taken_over(layer(x))
    assert not _taken_over(layer(x))


def test_after_an_exception_everything_is_as_before() -> None:
    layer, x = _linear(), _input(3, 6)
    with pytest.raises(RuntimeError), fast_linear(CPU):
        layer(_input(3, 4))
    assert not _taken_over(layer(x))


def test_blocks_can_be_nested() -> None:
    layer, x = _linear(), _input(3, 6)
    with fast_linear(CPU):
        with in_bfloat16():
            assert layer(x).dtype == torch.bfloat16
        assert layer(x).dtype == torch.float32
        assert _taken_over(layer(x))
    assert not _taken_over(layer(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_weights_of_other_types_are_left_alone(dtype: torch.dtype) -> None:
    layer, x = _layer("linear").to(dtype), _input(3, 6).to(dtype)
    with fast_linear(CPU):
        y = layer(x)
    assert y.dtype == dtype
    assert not _taken_over(y)


def test_products_of_what_is_no_weight_are_left_alone() -> None:
    x, other = _input(3, 6), _input(5, 6).requires_grad_()
    with fast_linear(CPU):
        assert not _taken_over(nn.functional.linear(x, other))
        assert not _taken_over(torch.addmm(torch.zeros(3, 5), x, other.t()))


def test_on_another_device_nothing_changes() -> None:
    layer, x = _linear(), _input(3, 6)
    with fast_linear(torch.device("cuda")):
        y = layer(x)
    assert y.dtype == torch.float32
    assert not _taken_over(y)


def test_weights_in_bfloat16_compute_in_bfloat16() -> None:
    layer = _layer("linear").bfloat16()
    with fast_linear(CPU):
        assert layer(_input(3, 6).bfloat16()).dtype == torch.bfloat16


def test_a_model_in_bfloat16_is_scored_by_trees() -> None:
    model = ARCHITECTURES["gpt2"]().bfloat16()
    with torch.no_grad():
        trees = _a_token(sequence_logps(model, build_tree(GROUPS)))
        padded = _a_token(sequence_logps(model, build_padded(GROUPS)))
    torch.testing.assert_close(trees, padded, rtol=0, atol=0.2)


def test_a_layer_that_switches_autocast_off_is_computed_in_float32() -> None:
    layer, x = _linear(), _input(3, 6)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        fast_linear(CPU),
        torch.autocast("cpu", enabled=False),
    ):
        assert nn.functional.linear(x.float(), layer.weight.float()).dtype == torch.float32


def test_layers_can_be_computed_again_in_the_backward_pass() -> None:
    layer, x = _linear(), _input(3, 6).requires_grad_()
    with fast_linear(CPU):
        y = torch.utils.checkpoint.checkpoint(lambda z: layer(z).relu(), x, use_reentrant=False, context_fn=same_again)
    torch.autograd.backward(y.sum())
    expected = torch.autograd.grad(layer(x).relu().sum(), x)[0]
    torch.testing.assert_close(x.grad, expected)


def test_what_comes_out_may_be_changed_in_place() -> None:
    layer, x = nn.Linear(4, 3), torch.randn(2, 5, 4, requires_grad=True)
    expected = layer(x) * 2
    with fast_linear(x.device):
        found = layer(x)
        found *= 2
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    torch.testing.assert_close(x.grad, 2 * layer.weight.sum(0).expand(2, 5, 4))
