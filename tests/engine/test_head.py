"""The projection to the vocabulary apart from the model: where that is right, and that nothing is left behind."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES, GROUPED, _make
from tests.engine.test_trees import BY_TREE, GROUPS, plain_logps
from tiebreak.engine.checkpointing import checkpoint_layers, recomputing
from tiebreak.engine.logprobs import computing, left_out, plain_head, sequence_logps
from tiebreak.engine.padded import build_padded
from tiebreak.engine.tree import build_tree

SCALED: dict[str, Callable[[], PreTrainedModel]] = {
    "cohere": _make("CohereConfig", **GROUPED, logit_scale=0.5),
    "cohere2": _make("Cohere2Config", **GROUPED, logit_scale=0.25),
    "granite": _make("GraniteConfig", **GROUPED, logits_scaling=3.0),
}


def _head(model: PreTrainedModel) -> nn.Linear:
    head = model.get_output_embeddings()
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
    plain_logps(model, GROUPS).sum().backward()
    expected = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    sequence_logps(model, build_tree(GROUPS)).logp.sum().backward()
    for n, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[n], rtol=1e-4, atol=2e-4, msg=lambda m, n=n: f"{n}: {m}")


@pytest.mark.parametrize("name", ["gpt2", "llama", "phi", "opt"])  # tied, untied, with a bias, tied by a decoder
def test_plain_heads_are_found(name: str) -> None:
    model = ARCHITECTURES[name]()
    assert plain_head(model) is model.get_output_embeddings()
    _agrees(model)


def test_capped_logits_go_the_plain_way() -> None:
    model = _make("Gemma3TextConfig", **GROUPED, head_dim=8, final_logit_softcapping=2.0)()
    assert plain_head(model) is None
    _agrees(model)


def test_a_head_of_another_kind_goes_the_plain_way() -> None:
    class Head(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).tanh()

    model = ARCHITECTURES["llama"]()
    head = Head(32, 61, bias=False)
    model.set_output_embeddings(head)
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
        head.forward = lambda x: usual(x).tanh()  # type: ignore[method-assign]
    assert plain_head(model) is None
    _agrees(model)


def test_the_head_is_put_back() -> None:
    model = ARCHITECTURES["gpt2"]()
    before = dict(vars(_head(model)))
    logits = model(input_ids=torch.tensor([[3, 4]])).logits
    with left_out(_head(model)):
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
    sequence_logps(model, build_tree(GROUPS)).logp.sum().backward()
    found = _head(model).weight.grad.clone()
    model.zero_grad()
    plain_logps(model, GROUPS).sum().backward()
    torch.testing.assert_close(found, _head(model).weight.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("trained", ["head", "body"])
def test_a_model_that_is_trained_in_part(trained: str) -> None:
    model = ARCHITECTURES["llama"]()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("lm_head") == (trained == "head"))
    sequence_logps(model, build_tree(GROUPS)).logp.sum().backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    plain_logps(model, GROUPS).sum().backward()
    expected = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    for n, gradient in expected.items():
        torch.testing.assert_close(found[n], gradient, rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize("arithmetic", [None, torch.bfloat16])
@pytest.mark.parametrize("name", sorted(BY_TREE))
def test_layers_computed_again_give_the_same_gradients(name: str, arithmetic: torch.dtype | None) -> None:
    model, batch = ARCHITECTURES[name](), build_tree(GROUPS)
    sequence_logps(model, batch, autocast=arithmetic).logp.sum().backward()
    expected = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    checkpoint_layers(model)
    recomputing(model)
    logp = sequence_logps(model, batch, autocast=arithmetic).logp.sum()
    with computing(model, batch):
        logp.backward()
    for n, gradient in expected.items():
        assert torch.equal(dict(model.named_parameters())[n].grad, gradient), n


def _on_one_of_several_devices(model: PreTrainedModel, folder: Path, *, find_unused: bool) -> None:
    wrapped: nn.Module | None = None
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model, find_unused_parameters=find_unused)
        sequence_logps(wrapped, build_tree(GROUPS)).logp.sum().backward()
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
