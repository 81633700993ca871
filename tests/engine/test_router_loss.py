"""The router loss: a model's own by any layout and any split, each token of each sequence once, padding never."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from tests.architectures import ARCHITECTURES, GROUPED, SHAPE, made
from tests.engine.gradients import assert_alike, gradients
from tests.engine.groups import GROUPS
from tiebreak.engine.batch import Batch, ScoredGroup
from tiebreak.engine.layout import build_padded, build_tree, lengthened
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.router_loss import Loads, RouterLoss, loads_of, loss_of, router_loss_of, token_counts

EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LOCAL = {"num_local_experts": 4, "num_experts_per_tok": 2}
MIXTURES: dict[str, tuple[Callable[[], PreTrainedModel], RouterLoss]] = {
    "mixtral": (made("MixtralConfig", **GROUPED, **LOCAL, router_aux_loss_coef=0.02), RouterLoss(0.02, 2)),
    "qwen2_moe": (
        made("Qwen2MoeConfig", **GROUPED, **EXPERTS, shared_expert_intermediate_size=24, router_aux_loss_coef=0.001),
        RouterLoss(0.001, 2),
    ),
    "qwen3_moe": (
        made("Qwen3MoeConfig", **GROUPED, **EXPERTS | {"num_experts_per_tok": 3}, head_dim=8),
        RouterLoss(0.001, 3),
    ),
    "olmoe": (made("OlmoeConfig", **SHAPE, num_experts=5, num_experts_per_tok=1), RouterLoss(0.01, 1)),
    "gpt_oss": (
        made(
            "GptOssConfig",
            **GROUPED,
            **LOCAL,
            head_dim=8,
            router_aux_loss_coef=0.9,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        ),
        RouterLoss(0.9, 2),
    ),
    "phimoe": (made("PhimoeConfig", **GROUPED, **LOCAL, router_aux_loss_coef=0.03), RouterLoss(0.03, 2)),
    "granitemoe": (made("GraniteMoeConfig", **GROUPED, **LOCAL), RouterLoss(0.001, 2)),
    "jetmoe": (
        made(
            "JetMoeConfig",
            **{key: value for key, value in SHAPE.items() if key != "num_attention_heads"},
            **LOCAL,
            num_key_value_heads=2,
            kv_channels=8,
        ),
        RouterLoss(0.01, 2),
    ),
}
BY_TREE = ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe"]
TWINS = [*GROUPS, ScoredGroup(GROUPS[0].prompt, GROUPS[0].completions[:1] * 2, 9), GROUPS[1]]  # equal sequences


def _sequences(groups: Sequence[ScoredGroup]) -> list[tuple[int, ...]]:
    return [group.prompt + completion for group in groups for completion in group.completions]


def own_loss(model: PreTrainedModel, groups: Sequence[ScoredGroup], top_k: int) -> Tensor:
    """The model's own function over all sequences, each scored alone."""
    own: Any = sys.modules[type(model).__module__].load_balancing_loss_func
    said: list[tuple[Tensor, ...]] = []
    for ids in _sequences(groups):
        said.append(model(input_ids=torch.tensor([ids]), output_router_logits=True).router_logits)
    layers = tuple(torch.cat([layer.reshape(-1, layer.shape[-1]) for layer in row]) for row in zip(*said, strict=True))
    found: Tensor = own(layers, layers[0].shape[-1], top_k)
    return found


def _found(model: PreTrainedModel, batch: Batch, top_k: int) -> Tensor:
    scores = sequence_logps(model, batch, routers=True)
    loads = loads_of(scores.router_logits, top_k, token_counts(batch, [True] * batch.sequences))
    return loss_of(loads, loads.detached())


@pytest.mark.parametrize("name", sorted(MIXTURES))
def test_a_mixture_s_loss_is_found_with_its_weight(name: str) -> None:
    make, expected = MIXTURES[name]
    assert router_loss_of(make()) == expected


@pytest.mark.parametrize("name", ["llama", "gpt2", "mamba"])
def test_other_models_have_none(name: str) -> None:
    assert router_loss_of(ARCHITECTURES[name]()) is None


def test_a_weight_of_zero_is_none() -> None:
    assert router_loss_of(made("MixtralConfig", **GROUPED, **LOCAL, router_aux_loss_coef=0.0)()) is None


def test_a_mixture_without_a_single_expert_layer_has_none() -> None:
    assert router_loss_of(made("Qwen2MoeConfig", **GROUPED, **EXPERTS, mlp_only_layers=[0, 1, 2])()) is None


def test_a_loss_of_another_kind_is_named() -> None:
    model = made("DogeConfig", **GROUPED, is_moe=True, num_experts=4, num_experts_per_tok=2)()
    with pytest.raises(ValueError, match="DogeForCausalLM computes its router loss in a way of its own"):
        router_loss_of(model)


@pytest.mark.parametrize(("experts", "top_k"), [(4, 1), (4, 2), (7, 3)])
@pytest.mark.parametrize("layers", [1, 3])
def test_it_is_the_library_s(experts: int, top_k: int, layers: int) -> None:
    draw = torch.Generator().manual_seed(experts)
    logits = tuple(torch.randn(20, experts, generator=draw) for _ in range(layers))
    mask = torch.rand(4, 5, generator=draw) > 0.3
    for counts, given in ((torch.ones(20), None), (mask.flatten().float(), mask)):
        loads = loads_of(logits, top_k, counts)
        expected: Any = load_balancing_loss_func(cast(Any, logits), experts, top_k, given)
        torch.testing.assert_close(loss_of(loads, loads), expected, rtol=1e-6, atol=1e-6)


def test_even_use_has_the_least_loss() -> None:
    even, uneven = torch.eye(4) * 1e-3, torch.tensor([[9.0, 0.0, 0.0, 0.0]] * 4)
    assert loss_of(*[loads_of([even], 1, torch.ones(4))] * 2).item() == pytest.approx(1.0, abs=1e-3)
    assert loss_of(*[loads_of([uneven], 1, torch.ones(4))] * 2).item() == pytest.approx(4.0, abs=1e-2)


@pytest.mark.parametrize("counted", ["all", "every second", "none of a group"])
@pytest.mark.parametrize("share", [True, False])
def test_a_token_counts_as_often_as_sequences_have_it(counted: str, share: bool) -> None:
    sequences = _sequences(TWINS)
    counts = [
        {"all": True, "every second": i % 2 == 0, "none of a group": i > 2}[counted] for i in range(len(sequences))
    ]
    batch = build_tree(TWINS, share=share)
    longer = lengthened(batch, batch.tokens + 7)
    found = token_counts(batch, counts)
    assert found.sum() == sum(len(ids) for ids, counts_too in zip(sequences, counts, strict=True) if counts_too)
    assert token_counts(longer, counts).tolist() == [*found.tolist(), *[0.0] * 7]
    if share:
        for token in range(batch.tokens):
            above = [k for k in range(token + 1) if k <= token < batch.subtree_end[k]]
            path = tuple(batch.input_ids[above].tolist())
            having = sum(ids[: len(path)] == path for ids, too in zip(sequences, counts, strict=True) if too)
            assert found[token] == having
    padded = build_padded(TWINS)
    of_row = token_counts(padded, counts).view(len(sequences), -1).sum(1)
    assert of_row.tolist() == [len(ids) * too for ids, too in zip(sequences, counts, strict=True)]


@pytest.mark.parametrize("name", sorted(MIXTURES))
def test_padded_batches_have_the_loss_of_their_sequences(name: str) -> None:
    make, known = MIXTURES[name]
    model = make()
    with torch.no_grad():
        torch.testing.assert_close(_found(model, build_padded(TWINS), known.top_k), own_loss(model, TWINS, known.top_k))


@pytest.mark.parametrize("name", BY_TREE)
def test_trees_have_the_loss_and_the_gradient_of_their_sequences(name: str) -> None:
    make, known = MIXTURES[name]
    model = make()
    found, expected = _found(model, build_tree(TWINS), known.top_k), own_loss(model, TWINS, known.top_k)
    torch.testing.assert_close(found, expected)
    assert_alike(gradients(model, found), gradients(model, expected), 1e-4)


def test_parts_sum_up_to_the_whole() -> None:
    draw = torch.Generator().manual_seed(0)
    parts = [[torch.randn(n, 4, generator=draw, requires_grad=True)] for n in (3, 8, 1)]
    loads = [loads_of(part, 2, torch.arange(len(part[0])) + 1.0) for part in parts]
    whole = loads[0] + loads[1] + loads[2]
    together = loads_of(
        [torch.cat([part[0] for part in parts])], 2, torch.cat([torch.arange(n) + 1.0 for n in (3, 8, 1)])
    )
    expected = loss_of(together, together.detached())
    found = [loss_of(part, whole.detached()) for part in loads]
    torch.testing.assert_close(torch.stack(found).sum(), expected)
    leaves = [part[0] for part in parts]
    for one, other in zip(
        torch.autograd.grad(torch.stack(found).sum(), leaves, retain_graph=True),
        torch.autograd.grad(expected, leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    assert isinstance(whole, Loads)
    assert not whole.detached().probability.requires_grad
