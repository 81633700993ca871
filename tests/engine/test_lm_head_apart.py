"""The LM head apart from the model: where that is right, and that nothing is left behind."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from transformers import LlamaForCausalLM, PreTrainedModel

from tests.architectures import ARCHITECTURES, GROUPED, made
from tests.engine.gradients import assert_alike, gradients
from tests.engine.groups import GROUPS, plain_logps
from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.layout import build_padded, build_tree
from tiebreak.engine.lm_head import plain_head, without_head
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.process.fast_linear import multiply

SCALED: dict[str, Callable[[], PreTrainedModel]] = {
    "cohere": made("CohereConfig", **GROUPED, logit_scale=0.5),
    "cohere2": made("Cohere2Config", **GROUPED, logit_scale=0.25),
    "granite": made("GraniteConfig", **GROUPED, logits_scaling=3.0),
}


def _head(model: PreTrainedModel) -> nn.Linear:
    head: object = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    assert isinstance(head, nn.Linear)
    return head


def _agrees(model: PreTrainedModel) -> None:
    with torch.no_grad():
        trees, padded = sequence_logps(model, build_tree(GROUPS)), sequence_logps(model, build_padded(GROUPS))
    torch.testing.assert_close(trees.logp, padded.logp, rtol=1e-6, atol=2e-5)
    torch.testing.assert_close(trees.mean_logit, padded.mean_logit, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", sorted(SCALED))
def test_scaled_logits_give_the_right_logps(name: str) -> None:
    model = SCALED[name]()
    assert plain_head(model) is not None
    _agrees(model)


@pytest.mark.parametrize("name", sorted(SCALED))
def test_scaled_logits_give_the_right_gradients(name: str) -> None:
    model = SCALED[name]()
    expected = gradients(model, plain_logps(model, GROUPS).sum())
    assert_alike(gradients(model, sequence_logps(model, build_tree(GROUPS)).logp.sum()), expected, 2e-4)
    assert expected.keys() == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("name", ["gpt2", "llama", "phi", "opt"])  # tied, untied, with a bias, tied by a decoder
def test_plain_heads_are_found(name: str) -> None:
    model = ARCHITECTURES[name]()
    assert plain_head(model) is _head(model)
    _agrees(model)


def test_capped_logits_go_the_plain_way() -> None:
    model = made("Gemma3TextConfig", **GROUPED, head_dim=8, final_logit_softcapping=2.0)()
    assert plain_head(model) is None
    _agrees(model)


def test_padded_batches_project_scored_positions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = ARCHITECTURES["llama"](), build_padded(GROUPS)
    rows: list[int] = []

    def counting(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        rows.append(x.shape[0] if 61 in (weight.shape[0], x.shape[-1]) else 0)
        return multiply(x, weight, bias)

    monkeypatch.setattr("tiebreak.engine.lm_head.multiply", counting)
    head = _head(model)
    with _Projections(head.weight) as seen:
        torch.autograd.backward(sequence_logps(model, batch).logp.sum())
    scored = sum(len(completion) for group in GROUPS for completion in group.completions)
    assert rows == [scored, scored]  # forward, and back to the hidden states
    assert batch.tokens > 2 * scored
    assert not seen.plain


class _Projections(TorchFunctionMode):
    """Sees whether a weight is multiplied with in the usual way."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight, self.plain = weight, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.plain = self.plain or (func is nn.functional.linear and args[1] is self.weight)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
@pytest.mark.parametrize("name", ["gpt2", "llama", "phi", "opt", "falcon", "mamba"])
def test_padded_batches_give_what_all_logits_give(name: str, autocast: torch.dtype | None) -> None:
    model = ARCHITECTURES[name]()
    found = sequence_logps(model, build_padded(GROUPS), autocast=autocast).logp
    slopes = gradients(model, found.sum())
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast is not None):
        expected = plain_logps(model, GROUPS)
    rtol, atol = (1e-6, 2e-5) if autocast is None else (2e-2, 1e-1)
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)
    assert_alike(slopes, gradients(model, expected.sum()), 2e-4 if autocast is None else 0.15)


class _Changed(LlamaForCausalLM):  # type: ignore[no-untyped-call]
    """A model that does something to its logits that no configuration tells of."""

    change: Callable[[torch.Tensor], torch.Tensor]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        out = super().forward(*args, **kwargs)
        out.logits = self.change(out.logits)
        return out


def _changed(change: Callable[[torch.Tensor], torch.Tensor], *, bias: float | None = None) -> PreTrainedModel:
    model = ARCHITECTURES["llama"]()
    model.__class__ = _Changed
    setattr(model, "change", change)  # noqa: B010
    if bias is not None:
        _head(model).bias = nn.Parameter(torch.full((61,), bias))
    return model


@pytest.mark.parametrize(
    ("change", "apart"),
    [
        (lambda logits: logits, True),
        (lambda logits: logits * 0.25, True),
        (lambda logits: -3 * logits, True),
        (lambda logits: 30 * torch.tanh(logits / 30), False),  # hardly any change at logits of usual size
        (lambda logits: 1000 * torch.tanh(logits / 1000), False),
        (lambda logits: logits + torch.arange(logits.shape[-1]) * 1e-3, False),
        (lambda logits: logits.clamp(max=200), False),
        (lambda logits: logits.roll(1, -1), False),
        (lambda logits: logits[..., :60], False),
        (lambda logits: logits.softmax(-1), False),
    ],
)
def test_a_head_is_apart_only_where_what_follows_it_is_a_factor(
    change: Callable[[torch.Tensor], torch.Tensor], apart: bool
) -> None:
    model = _changed(change)
    assert (plain_head(model) is not None) == apart
    few = [ScoredGroup((3, 4), ((5, 6, 2), (7, 2)), 0)]
    with torch.no_grad():
        found = sequence_logps(model, build_padded(few)).logp
        torch.testing.assert_close(found, plain_logps(model, few), rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize(("factor", "apart"), [(1.0, True), (0.5, False)])
def test_a_bias_that_is_scaled_afterwards_stays_in_the_model(factor: float, apart: bool) -> None:
    model = _changed(lambda logits: logits * factor, bias=0.7)
    assert (plain_head(model) is not None) == apart
    _agrees(model)


def test_what_follows_the_head_is_looked_at_once() -> None:
    model, calls = ARCHITECTURES["llama"](), list[int]()
    model.register_forward_pre_hook(lambda module, args, kwargs: calls.append(1), with_kwargs=True)
    for _ in range(3):
        sequence_logps(model, build_padded(GROUPS))
    assert len(calls) == 3 + 1


def test_a_head_of_another_kind_goes_the_plain_way() -> None:
    class Head(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input).tanh()

    model = ARCHITECTURES["llama"]()
    head = Head(32, 61, bias=False)
    model.set_output_embeddings(head)  # type: ignore[no-untyped-call]
    assert plain_head(model) is None
    _agrees(model)


@pytest.mark.parametrize("way", ["hook", "pre-hook", "forward"])
def test_a_head_that_someone_changed_goes_the_plain_way(way: str) -> None:
    model = ARCHITECTURES["llama"]()
    head = _head(model)
    if way == "hook":
        head.register_forward_hook(lambda module, args, out: out.tanh())
    elif way == "pre-hook":
        head.register_forward_pre_hook(lambda module, args: (args[0].tanh(),))
    else:
        usual = head.forward
        head.forward = lambda input: usual(input).tanh()  # type: ignore[method-assign]
    assert plain_head(model) is None
    _agrees(model)


def test_the_head_is_put_back() -> None:
    model = ARCHITECTURES["gpt2"]()
    before = dict(vars(_head(model)))
    logits = model(input_ids=torch.tensor([[3, 4]])).logits
    with without_head(model):
        assert model(input_ids=torch.tensor([[3, 4]])).logits.shape[-1] == 32
    assert vars(_head(model)) == before
    assert torch.equal(model(input_ids=torch.tensor([[3, 4]])).logits, logits)


def test_the_head_is_put_back_after_an_exception() -> None:
    model = ARCHITECTURES["llama"]()
    broken = model.model.layers[1].register_forward_pre_hook(lambda module, args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sequence_logps(model, build_tree(GROUPS))
    broken.remove()
    assert "forward" not in vars(_head(model))
    _agrees(model)


def test_a_tied_head_gets_both_gradients() -> None:
    model = ARCHITECTURES["gpt2"]()
    assert _head(model).weight is model.get_input_embeddings().weight
    found = gradients(model, sequence_logps(model, build_tree(GROUPS)).logp.sum())
    assert_alike(found, gradients(model, plain_logps(model, GROUPS).sum()), 1e-4)


@pytest.mark.parametrize("trained", ["head", "body"])
def test_a_model_that_is_trained_in_part(trained: str) -> None:
    model = ARCHITECTURES["llama"]()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("lm_head") == (trained == "head"))
    found = gradients(model, sequence_logps(model, build_tree(GROUPS)).logp.sum())
    assert_alike(found, gradients(model, plain_logps(model, GROUPS).sum()), 1e-4)
    assert found


def test_two_models_are_scored_one_within_the_other() -> None:
    model, other = ARCHITECTURES["llama"](), ARCHITECTURES["gpt2"]()
    expected = sequence_logps(other, build_tree(GROUPS)).logp.detach()
    seen: list[torch.Tensor] = []
    hook = model.model.layers[0].register_forward_hook(
        lambda module, args, out: seen.append(sequence_logps(other, build_tree(GROUPS)).logp.detach())
    )
    with torch.no_grad():
        inside = sequence_logps(model, build_tree(GROUPS)).logp
    hook.remove()
    assert torch.equal(seen[0], expected)
    with torch.no_grad():
        assert torch.equal(sequence_logps(model, build_tree(GROUPS)).logp, inside)


def _on_one_of_several_devices(model: PreTrainedModel, folder: Path, *, find_unused: bool) -> None:
    wrapped: nn.Module | None = None
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model, find_unused_parameters=find_unused)
        torch.autograd.backward(sequence_logps(wrapped, build_tree(GROUPS)).logp.sum())
    finally:
        # Freed first: the last owner of the group would wait for its threads while it keeps them from Python.
        del wrapped
        gc.collect()
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("name", "find_unused"),
    [
        ("gpt2", False),
        ("gpt2", True),
        ("llama", False),
    ],
)
def test_a_model_wrapped_for_several_devices(name: str, find_unused: bool, tmp_path: Path) -> None:
    """The Trainer looks for unused parameters unless it is told not to."""
    model = ARCHITECTURES[name]()
    _on_one_of_several_devices(model, tmp_path, find_unused=find_unused)
    assert _head(model).weight.grad is not None


def test_nothing_in_the_head_itself_is_touched() -> None:
    model = ARCHITECTURES["llama"]()
    head = _head(model)
    names = [name for name, _ in model.named_parameters()]
    with without_head(model):
        assert not any(module is head for module in model.modules())
        assert "forward" not in vars(head)
        assert [name for name, _ in model.named_parameters()] == names
    assert _head(model) is head


def test_a_model_that_is_being_scored_cannot_be_scored_within() -> None:
    model = ARCHITECTURES["llama"]()
    hook = model.model.layers[0].register_forward_hook(
        lambda module, args, out: sequence_logps(model, build_tree(GROUPS))
    )
    with pytest.raises(RuntimeError, match="being scored already"):
        sequence_logps(model, build_tree(GROUPS))
    hook.remove()
    _agrees(model)
