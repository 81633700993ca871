"""Linear layers within `fast_products` compute what they compute without, and leave nothing behind."""

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
from tests.engine.test_trees import GROUPS
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.padded import build_padded
from tiebreak.engine.products import fast_products, keeping_copies, multiply, same_again, weight_in
from tiebreak.engine.tree import build_tree

CPU = torch.device("cpu")
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 5),
    "linear without bias": lambda: nn.Linear(6, 5, bias=False),
    "conv1d": lambda: Conv1D(5, 6),
}


@contextmanager
def in_bfloat16() -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16), fast_products(CPU):
        yield


def _layer(name: str) -> nn.Module:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def _input(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def _run(layer: nn.Module, x: Tensor, *, fast: bool, arithmetic: torch.dtype | None = None) -> dict[str, Tensor]:
    """What a layer gives, and the gradients of a weighted sum of it."""
    layer, x = copy.deepcopy(layer), x.detach().clone().requires_grad_(x.requires_grad)
    with torch.autocast("cpu", dtype=arithmetic or torch.bfloat16, enabled=arithmetic is not None):
        if fast:
            with fast_products(CPU):
                y = layer(x)
        else:
            y = layer(x)
    (y.float() * torch.linspace(-1, 2, y.numel()).view(y.shape)).sum().backward()
    gradients = {name: p.grad for name, p in layer.named_parameters() if p.grad is not None}
    return {"out": y.detach(), **gradients} | ({} if x.grad is None else {"x": x.grad})


def _same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("name", sorted(LAYERS))
@pytest.mark.parametrize("shape", [(6,), (1, 6), (4, 6), (2, 3, 6), (0, 6)])
@pytest.mark.parametrize("arithmetic", [None, torch.bfloat16])
def test_layers_compute_what_they_do_outside(name: str, shape: tuple[int, ...], arithmetic: torch.dtype | None) -> None:
    layer, x = _layer(name), _input(*shape).requires_grad_()
    expected = _run(layer, x, fast=False, arithmetic=arithmetic)
    _same(_run(layer, x, fast=True, arithmetic=arithmetic), expected, 1e-5 if arithmetic is None else 3e-2)


@pytest.mark.parametrize("name", sorted(LAYERS))
@pytest.mark.parametrize("frozen", ["weight", "bias", "input"])
def test_what_is_frozen_gets_no_gradient(name: str, frozen: str) -> None:
    layer, x = _layer(name), _input(2, 3, 6).requires_grad_(frozen != "input")
    for key, parameter in layer.named_parameters():
        parameter.requires_grad_(key != frozen)
    _same(_run(layer, x, fast=True), _run(layer, x, fast=False), 1e-5)


def test_an_input_that_is_not_contiguous() -> None:
    layer, x = _layer("linear"), _input(3, 6, 2).transpose(1, 2).requires_grad_()
    _same(_run(layer, x, fast=True), _run(layer, x, fast=False), 1e-5)


def test_a_layer_called_twice_gets_the_sum_of_gradients() -> None:
    layer = _layer("linear")
    other = copy.deepcopy(layer)
    x, z = _input(4, 6), _input(2, 6)
    with fast_products(CPU):
        (layer(x).sum() + layer(z).sin().sum()).backward()
    (other(x).sum() + other(z).sin().sum()).backward()
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


for _name, _kind, _how in (
    ("AdamW", torch.optim.AdamW, {"foreach": False}),
    ("foreach AdamW", torch.optim.AdamW, {"foreach": True}),
    ("fused AdamW", torch.optim.AdamW, {"fused": True}),
    ("SGD", torch.optim.SGD, {}),
    ("fused SGD", torch.optim.SGD, {"fused": True}),
):
    CHANGES[_name] = lambda w, kind=_kind, how=_how: kind([w], lr=0.5, **how).step()


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
    layer, x = _layer("linear without bias"), _input(3, 6)
    with in_bfloat16():
        before = layer(x).detach()
    layer.weight.grad = torch.ones(5, 6)
    CHANGES[change](layer.weight)
    with in_bfloat16():
        after = layer(x).detach()
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, nn.functional.linear(x.bfloat16(), layer.weight.detach().bfloat16()))


def test_after_steps_of_the_trainers_optimizer_trees_still_agree_with_padded_batches_in_bfloat16() -> None:
    model = ARCHITECTURES["qwen2"]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    for _ in range(4):
        optimizer.zero_grad()
        (-sequence_logps(model, build_tree(GROUPS), autocast=torch.bfloat16).mean_logp.mean()).backward()
        optimizer.step()
    with torch.no_grad():
        trees = sequence_logps(model, build_tree(GROUPS), autocast=torch.bfloat16)
        padded = sequence_logps(model, build_padded(GROUPS), autocast=torch.bfloat16)
    torch.testing.assert_close(trees.mean_logp, padded.mean_logp, rtol=0, atol=0.1)


def test_a_weight_is_cast_once_within_a_block_of_kept_copies_and_forgotten_after_it() -> None:
    weight = _layer("linear").weight
    with keeping_copies():
        kept = weight_in(weight, torch.bfloat16)
        with keeping_copies():
            assert weight_in(weight, torch.bfloat16) is kept
        assert weight_in(weight, torch.bfloat16) is kept
    assert weight_in(weight, torch.bfloat16) is not kept
    assert weight_in(weight, torch.float32).data_ptr() == weight.data_ptr()


def test_kept_copies_are_freed_with_the_block() -> None:
    layer = _layer("linear")
    with keeping_copies(), in_bfloat16():
        layer(_input(3, 6)).sum().backward()
        copied = weakref.ref(weight_in(layer.weight, torch.bfloat16))
        assert copied() is not None
    gc.collect()
    assert copied() is None


def test_kept_copies_belong_to_a_thread() -> None:
    weight, found = _layer("linear").weight, []
    with keeping_copies():
        kept = weight_in(weight, torch.bfloat16)
        thread = threading.Thread(target=lambda: found.append(weight_in(weight, torch.bfloat16) is kept))
        thread.start()
        thread.join()
    assert found == [False]


def test_a_weight_changed_before_the_backward_pass_is_an_error() -> None:
    layer = _layer("linear")
    with fast_products(CPU):
        y = layer(_input(3, 6)).sum()
    with torch.no_grad():
        layer.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_backward_pass_uses_the_weight_of_its_forward_pass() -> None:
    layer, x = _layer("linear"), _input(3, 6).requires_grad_()
    with in_bfloat16():
        y = layer(x)
    (first,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (again,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(again, first)


# Where the block ends, and what it leaves alone.


def _taken_over(y: Tensor) -> bool:
    return type(y.grad_fn).__name__ == "_LinearBackward"


def test_after_the_block_everything_is_as_before() -> None:
    layer, x = _layer("linear"), _input(3, 6)
    with fast_products(CPU):
        assert _taken_over(layer(x))
    assert not _taken_over(layer(x))


def test_after_an_exception_everything_is_as_before() -> None:
    layer, x = _layer("linear"), _input(3, 6)
    with pytest.raises(RuntimeError), fast_products(CPU):
        layer(_input(3, 4))
    assert not _taken_over(layer(x))


def test_blocks_can_be_nested() -> None:
    layer, x = _layer("linear"), _input(3, 6)
    with fast_products(CPU):
        with in_bfloat16():
            assert layer(x).dtype == torch.bfloat16
        assert layer(x).dtype == torch.float32
        assert _taken_over(layer(x))
    assert not _taken_over(layer(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_weights_of_other_types_are_left_alone(dtype: torch.dtype) -> None:
    layer, x = _layer("linear").to(dtype), _input(3, 6).to(dtype)
    with fast_products(CPU):
        y = layer(x)
    assert y.dtype == dtype
    assert not _taken_over(y)


def test_products_of_what_is_no_weight_are_left_alone() -> None:
    x, other = _input(3, 6), _input(5, 6).requires_grad_()
    with fast_products(CPU):
        assert not _taken_over(nn.functional.linear(x, other))
        assert not _taken_over(torch.addmm(torch.zeros(3, 5), x, other.t()))


def test_on_another_device_nothing_changes() -> None:
    layer, x = _layer("linear"), _input(3, 6)
    with fast_products(torch.device("cuda")):
        y = layer(x)
    assert y.dtype == torch.float32
    assert not _taken_over(y)


def test_weights_in_bfloat16_compute_in_bfloat16() -> None:
    layer = _layer("linear").bfloat16()
    with fast_products(CPU):
        assert layer(_input(3, 6).bfloat16()).dtype == torch.bfloat16


def test_a_model_in_bfloat16_is_scored_by_trees() -> None:
    model = ARCHITECTURES["gpt2"]().bfloat16()
    with torch.no_grad():
        trees = sequence_logps(model, build_tree(GROUPS)).mean_logp
        padded = sequence_logps(model, build_padded(GROUPS)).mean_logp
    torch.testing.assert_close(trees, padded, rtol=0, atol=0.2)


def test_a_layer_that_switches_autocast_off_is_computed_in_float32() -> None:
    layer, x = _layer("linear"), _input(3, 6)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        fast_products(CPU),
        torch.autocast("cpu", enabled=False),
    ):
        assert nn.functional.linear(x.float(), layer.weight.float()).dtype == torch.float32


def test_layers_can_be_computed_again_in_the_backward_pass() -> None:
    layer, x = _layer("linear"), _input(3, 6).requires_grad_()
    with fast_products(CPU):
        y = torch.utils.checkpoint.checkpoint(lambda z: layer(z).relu(), x, use_reentrant=False, context_fn=same_again)
    y.sum().backward()
    expected = torch.autograd.grad(layer(x).relu().sum(), x)[0]
    torch.testing.assert_close(x.grad, expected)
