"""Log-probs of targets, block by block, equal those of all logits at once; so do their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.engine.gradients import assert_alike
from tiebreak.engine.lm_head import target_logps

Found = dict[str, Tensor]


def _plain(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, row: Tensor, target: Tensor, autocast: torch.dtype | None
) -> tuple[Tensor, Tensor]:
    with torch.autocast("cpu", dtype=autocast or torch.bfloat16, enabled=autocast is not None):
        logits = torch.nn.functional.linear(hidden, weight, bias)
    return torch.log_softmax(logits.float(), -1)[row, target], logits.detach().float().mean(-1)


def _case(rows: int, hidden: int, vocabulary: int, targets: int, *, bias: bool, seed: int = 0) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(seed)
    return {
        "hidden": torch.randn(rows, hidden, generator=draw),
        "weight": torch.randn(vocabulary, hidden, generator=draw) * 0.3,
        "bias": torch.randn(vocabulary, generator=draw) if bias else None,
        "row": torch.randint(rows, (targets,), generator=draw),
        "target": torch.randint(vocabulary, (targets,), generator=draw),
    }


def _run(
    case: dict[str, Any],
    *,
    plain: bool = False,
    dtype: torch.dtype | None = None,
    kept_bytes: int | None = None,
    wants: tuple[str, ...] = ("hidden", "weight", "bias"),
) -> Found:
    """Values, and the gradients of a weighted sum of the log-probs."""
    given: dict[str, Any] = {name: None if tensor is None else tensor.clone() for name, tensor in case.items()}
    leaves = {name: given[name].requires_grad_() for name in wants if given[name] is not None}
    if plain:
        logp, mean = _plain(**given, autocast=dtype)
    else:
        logp, mean, _ = target_logps(**given, dtype=dtype, kept_bytes=kept_bytes)
    if leaves:
        torch.autograd.backward((logp * torch.linspace(-1, 2, len(logp))).sum())
    return {"logp": logp.detach(), "mean": mean} | {name: leaf.grad for name, leaf in leaves.items()}


def _same(found: Found, expected: Found, tolerance: float = 1e-5) -> None:
    assert_alike(found, expected, tolerance)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kept_bytes", [None, 1, 4 * 31 * 3])
def test_values_and_gradients_equal_those_of_all_logits_at_once(bias: bool, kept_bytes: int | None) -> None:
    case = _case(10, 7, 31, 24, bias=bias)  # rows that predict several targets, and rows that predict none
    assert len(set(case["row"].tolist())) < 10
    _same(_run(case, kept_bytes=kept_bytes), _run(case, plain=True))


def test_a_row_predicts_one_target_many_times() -> None:
    case = _case(3, 5, 11, 6, bias=True) | {"row": torch.tensor([1, 1, 1, 1, 0, 1]), "target": torch.full((6,), 4)}
    _same(_run(case), _run(case, plain=True))
    _same(_run(case, kept_bytes=1), _run(case, plain=True))


def test_a_single_row_and_a_single_target() -> None:
    case = _case(1, 4, 9, 1, bias=False)
    _same(_run(case), _run(case, plain=True))


@pytest.mark.parametrize("product_rows", [1, 3, 9, 10])
@pytest.mark.parametrize("kept_bytes", [None, 4 * 31 * 5])
def test_no_product_has_more_bytes_than_are_allowed(
    product_rows: int, kept_bytes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def noted(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        out = torch.nn.functional.linear(x, weight, bias)
        seen.append(out.shape[0] if out.shape[-1] == 31 else 0)
        return out

    monkeypatch.setattr("tiebreak.engine.lm_head.PRODUCT_BYTES", 4 * 31 * product_rows)
    monkeypatch.setattr("tiebreak.engine.lm_head.multiply", noted)
    case = _case(10, 7, 31, 24, bias=True)
    _same(_run(case, kept_bytes=kept_bytes), _run(case, plain=True))
    assert max(seen) == min(product_rows, 10 if kept_bytes is None else 5)


def test_rows_without_any_target_have_no_gradient() -> None:
    case = _case(4, 4, 9, 0, bias=True)
    found = _run(case)
    assert found["logp"].shape == (0,)
    assert found["mean"].shape == (4,)
    assert not found["hidden"].any()
    assert not found["weight"].any()
    assert not found["bias"].any()


def test_no_rows_at_all() -> None:
    hidden = torch.zeros(0, 4, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    logp, mean, _ = target_logps(hidden, torch.randn(9, 4), None, none, none)
    torch.autograd.backward(logp.sum())
    assert logp.shape == mean.shape == (0,)
    assert hidden.grad is not None


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 9),
    hidden=st.integers(1, 9),
    vocabulary=st.integers(1, 40),
    targets=st.integers(1, 15),
    kept_rows=st.integers(0, 10),
    bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_shape_in_any_blocks(
    rows: int, hidden: int, vocabulary: int, targets: int, kept_rows: int, bias: bool, seed: int
) -> None:
    case = _case(rows, hidden, vocabulary, targets, bias=bias, seed=seed)
    _same(_run(case, kept_bytes=kept_rows * vocabulary * 4), _run(case, plain=True), 2e-5)


@pytest.mark.parametrize("wants", [(), ("hidden",), ("weight",), ("bias",), ("hidden", "bias")])
@pytest.mark.parametrize("kept_bytes", [None, 1])
def test_only_what_is_trained_gets_a_gradient(wants: tuple[str, ...], kept_bytes: int | None) -> None:
    case = _case(6, 5, 13, 9, bias=True)
    _same(_run(case, wants=wants, kept_bytes=kept_bytes), _run(case, plain=True, wants=wants))


def test_without_gradients_the_result_is_the_same_and_keeps_nothing() -> None:
    case = _case(6, 5, 13, 9, bias=True)
    trained = {n: t.clone().requires_grad_() if t is not None and t.is_floating_point() else t for n, t in case.items()}
    with torch.no_grad():
        logp, mean, _ = target_logps(**trained)
    assert not logp.requires_grad
    _same({"logp": logp, "mean": mean}, _run(case, plain=True, wants=()))


def test_the_mean_logit_carries_no_gradient() -> None:
    case = _case(6, 5, 13, 9, bias=False)
    case["weight"].requires_grad_()
    assert not target_logps(**case)[1].requires_grad


def test_a_weight_that_is_the_embedding_too_gets_both_gradients() -> None:
    case = _case(6, 5, 13, 6, bias=False)
    ids = torch.arange(6)

    def gradient(logps: Callable[[dict[str, Any]], Tensor]) -> Tensor:
        weight: Tensor = case["weight"].clone().requires_grad_()
        given = case | {"hidden": torch.tanh(weight[ids]), "weight": weight}
        torch.autograd.backward(logps(given).sum())
        assert weight.grad is not None
        return weight.grad

    found = gradient(lambda given: target_logps(**given, kept_bytes=1)[0])
    torch.testing.assert_close(found, gradient(lambda given: _plain(**given, autocast=None)[0]), rtol=1e-5, atol=1e-5)


def test_one_weight_in_two_calls_gets_the_sum_of_gradients() -> None:
    first, second = _case(6, 5, 13, 9, bias=False), _case(4, 5, 13, 7, bias=False, seed=1)
    weight = first["weight"].clone().requires_grad_()
    parts = [target_logps(**(case | {"weight": weight}))[0] for case in (first, second)]
    torch.autograd.backward(torch.cat(parts).sum())
    other = first["weight"].clone().requires_grad_()
    plain = [_plain(**(case | {"weight": other}), autocast=None)[0] for case in (first, second)]
    torch.autograd.backward(torch.cat(plain).sum())
    torch.testing.assert_close(weight.grad, other.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kept_bytes", [None, 2 * 31 * 3])
@pytest.mark.parametrize("hidden_type", [torch.float32, torch.bfloat16])
def test_bfloat16_arithmetic_is_near_float32(bias: bool, kept_bytes: int | None, hidden_type: torch.dtype) -> None:
    case = _case(10, 7, 31, 24, bias=bias)
    case["hidden"] = case["hidden"].to(hidden_type)
    found = _run(case, dtype=torch.bfloat16, kept_bytes=kept_bytes)
    assert found["hidden"].dtype == hidden_type
    assert found["weight"].dtype == found["logp"].dtype == found["mean"].dtype == torch.float32
    exact = _run(case | {"hidden": case["hidden"].float()}, plain=True)
    _same({name: value.float() for name, value in found.items()}, exact, 5e-2)


def test_weights_in_bfloat16_give_gradients_in_bfloat16() -> None:
    case = _case(10, 7, 31, 24, bias=True)
    narrow = {n: t.bfloat16() if t is not None and t.is_floating_point() else t for n, t in case.items()}
    found = _run(narrow)
    assert {found[name].dtype for name in ("hidden", "weight", "bias")} == {torch.bfloat16}
    _same({name: value.float() for name, value in found.items()}, _run(case, plain=True), 1e-1)


def _confident() -> dict[str, Any]:
    """Rows that are sure of their targets, as a model is of most tokens after some training."""
    draw = torch.Generator().manual_seed(0)
    weight, target = torch.randn(500, 64, generator=draw) * 0.3, torch.randint(500, (40,), generator=draw)
    hidden = torch.randn(40, 64, generator=draw) * 0.3 + 3 * weight[target]
    return {"hidden": hidden, "weight": weight, "bias": None, "row": torch.arange(40), "target": target}


def test_in_bfloat16_no_probability_is_above_one() -> None:
    assert float(_run(_confident(), dtype=torch.bfloat16)["logp"].max()) <= 1e-6


@pytest.mark.parametrize("wrt", ["hidden", "weight"])
def test_in_bfloat16_gradients_of_sure_rows_are_as_good_as_autocast_gives(wrt: str) -> None:
    case = _confident()
    exact, usual = _run(case, plain=True)[wrt], _run(case, plain=True, dtype=torch.bfloat16)[wrt]
    found = _run(case, dtype=torch.bfloat16)[wrt]
    assert torch.norm(found - exact) <= 3 * torch.norm(usual - exact) + 1e-3 * torch.norm(exact)


def _expired(kept: Any) -> bool:
    return bool(kept.expired())


class _Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches what operations return: the largest tensor, and the most bytes alive at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = self.peak = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.numel())
                storage = tensor.untyped_storage()
                kept = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._alive[storage.data_ptr()] = (kept, storage.nbytes())
        self._alive = {at: kept for at, kept in self._alive.items() if not _expired(kept[0])}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return out


_WIDE = 2000  # of the vocabulary: all logits of 64 rows are 128,000 numbers, the weight's gradient is 16,000


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_all_logits_are_never_in_memory_at_once(dtype: torch.dtype | None) -> None:
    case = _case(64, 8, _WIDE, 80, bias=True)
    with _Allocations() as seen:
        _run(case, dtype=dtype, kept_bytes=4 * _WIDE * 4)
    assert 4 * _WIDE <= seen.largest <= 8 * _WIDE
    with _Allocations() as seen:
        _run(case, plain=True)
    assert seen.largest == 64 * _WIDE  # the watch sees what the plain way allocates


def test_no_more_than_one_block_of_logits_is_alive() -> None:
    case = _case(64, 8, _WIDE, 80, bias=False)
    block = 16 * _WIDE * 4
    with torch.no_grad(), _Allocations() as seen:
        target_logps(**case, kept_bytes=block)
    assert seen.peak < 2 * block


def test_a_second_backward_pass_is_an_error() -> None:
    case = _case(6, 5, 13, 9, bias=False)
    case["hidden"].requires_grad_()
    logp = target_logps(**case)[0].sum()
    torch.autograd.grad(logp, case["hidden"], retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(logp, case["hidden"])


def test_without_gradients_no_softmax_is_computed() -> None:
    case = _case(6, 5, 13, 9, bias=False)
    case["weight"].requires_grad_()
    with torch.no_grad(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        target_logps(**case)
    assert not [event for event in profile.events() if event.name == "aten::exp_" and "logsumexp" not in _above(event)]


def _above(event: Any) -> str:
    parent = event.cpu_parent
    return "" if parent is None else f"{parent.name} {_above(parent)}"


def test_a_weight_changed_before_the_backward_pass_is_an_error() -> None:
    case = _case(6, 5, 13, 9, bias=False)
    case["hidden"].requires_grad_()
    case["weight"].requires_grad_()
    logp = target_logps(**case)[0].sum()
    with torch.no_grad():
        case["weight"].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.backward(logp)
