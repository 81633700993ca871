"""An influence that must not be there is seen however small it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES, GROUPED, SPECIAL, made
from tests.causal_models import causal_model
from tests.engine.groups import BY_TREE, GROUPS
from tiebreak.engine.batch import group_of
from tiebreak.engine.influence import gradient_difference, leaks, sees_what_follows
from tiebreak.engine.layout import build_tree
from tiebreak.engine.lm_head import plain_head
from tiebreak.engine.self_check import check_causal, self_check
from tiebreak.errors import InputError

PAIRS = [group for group in GROUPS if len(group.completions) == 2]
SINGLE = [type(group)(group.prompt, group.completions[:1], group.row) for group in PAIRS]
Make = Callable[[], PreTrainedModel]

# A convolution or a state carries over from one branch of the flat row to the next.
CARRYING: dict[str, Make] = {
    "lfm2": made("Lfm2Config", **GROUPED, conv_L_cache=3, layer_types=["conv", "full_attention", "conv"]),
    "falcon_h1": made(
        "FalconH1Config",
        **GROUPED,
        mamba_d_ssm=32,
        mamba_n_heads=4,
        mamba_d_head=8,
        mamba_n_groups=1,
        mamba_d_state=8,
        mamba_chunk_size=8,
    ),
}


def small_weights(make: Make, scale: float) -> PreTrainedModel:
    """The model with weights so small that nothing influences a log-prob by much."""
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model


@pytest.mark.parametrize("scale", [1.0, 0.2])
@pytest.mark.parametrize("name", CARRYING)
def test_what_carries_over_is_seen_whatever_its_size(name: str, scale: float) -> None:
    model = small_weights(CARRYING[name], scale)
    for groups in (PAIRS, SINGLE):
        check = self_check(model, groups, autocast=None)
        assert check.path == "padded", check.reason
    check_causal(model, PAIRS)  # it sees the branch beside, and not what follows in its own text


def test_a_leak_too_small_for_the_difference_of_log_probs_is_a_leak() -> None:
    model = small_weights(CARRYING["lfm2"], 0.2)
    check = self_check(model, PAIRS, autocast=None)
    assert check.reason == "padded batches: by trees this model's completions depend on each other"
    assert check.difference is not None
    assert check.difference < 1e-4


@pytest.mark.parametrize("groups", [PAIRS, SINGLE, GROUPS[:1]], ids=["pairs", "single", "three"])
@pytest.mark.parametrize("name", sorted(BY_TREE))
def test_nothing_leaks_where_trees_are_right(name: str, groups: list[object]) -> None:
    model = ARCHITECTURES[name]()
    assert not leaks(model, groups, None)  # type: ignore[arg-type]
    assert gradient_difference(model, groups, None) < 1e-4  # type: ignore[arg-type]


MANY = [
    group_of([5, 6, 7], [[10, 11], [12, 13, 14], [15, 16], [17, 18]]),
    group_of([20, 21], [[30, 31], [32, 33]]),
]


@pytest.mark.parametrize(("teller", "told"), [(a, b) for a in range(6) for b in range(6) if a != b])
def test_a_leak_between_any_two_completions_is_seen(teller: int, told: int) -> None:
    model = ARCHITECTURES["llama"]()
    batch = build_tree(MANY)
    plain_head(model)  # asks the model once, with two tokens
    said = [batch.keep[batch.kept_row[batch.sequence == number]].max() for number in range(6)]

    def whisper(_layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = given[0].clone()
        hidden[:, said[told]] += 1e-6 * given[0][:, said[teller]]
        return (hidden, *given[1:])

    model.model.layers[1].register_forward_pre_hook(whisper)
    assert leaks(model, MANY, None)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_nothing_leaks_in_bfloat16(name: str) -> None:
    model = ARCHITECTURES[name]()
    assert not leaks(model, PAIRS, torch.bfloat16)
    assert gradient_difference(model, PAIRS, torch.bfloat16) < 0.3


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_causal_model_does_not_see_what_follows(name: str) -> None:
    check_causal(ARCHITECTURES[name](), PAIRS)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_a_model_that_attends_in_both_directions_is_refused(scale: float) -> None:
    bert = made(
        "BertConfig", **{**SPECIAL, "vocab_size": 61}, hidden_size=32, num_hidden_layers=2, num_attention_heads=4
    )
    model = small_weights(bert, scale)
    assert sees_what_follows(model, PAIRS[0])
    with pytest.raises(InputError, match="sees the tokens that it is to predict") as refused:
        check_causal(model, PAIRS)
    assert refused.value.where == "model.name"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("xlnet", "sees the tokens that it is to predict"),  # its embeddings have tokens before rows
        ("prophetnet", "gives a text other log-probs beside a longer one"),
        ("reformer", "does not score a text by its token ids: AssertionError"),
    ],
)
def test_a_model_whose_log_probs_are_no_matter_of_the_text_alone_is_refused(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        check_causal(causal_model(name), PAIRS)
    assert refused.value.where == "model.name"


def test_a_gpu_that_failed_is_not_taken_for_the_models_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr("tiebreak.engine.self_check.sees_what_follows", fails)
    with pytest.raises(torch.AcceleratorError):
        check_causal(ARCHITECTURES["llama"](), PAIRS)


def test_a_model_that_fails_in_the_backward_pass_goes_by_padded_batches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("Output 0 of _Linear is a view and is being modified inplace")

    model = ARCHITECTURES["gpt2"]()
    monkeypatch.setattr("tiebreak.engine.influence.torch.autograd.grad", fails)
    check = self_check(model, PAIRS, autocast=None)
    assert check.path == "padded"
    assert "RuntimeError: Output 0 of _Linear is a view" in check.reason
    assert "RuntimeError: Output 0 of _Linear is a view" in caplog.text


def test_the_gradients_of_the_model_are_left_as_they_were() -> None:
    model = ARCHITECTURES["gpt2"]()
    self_check(model, PAIRS, autocast=None)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.get_input_embeddings()._forward_hooks


def test_a_frozen_model_is_checked_too() -> None:
    model = ARCHITECTURES["qwen2"]()
    model.requires_grad_(False)
    assert self_check(model, PAIRS, autocast=None).path == "tree"
    frozen = small_weights(CARRYING["lfm2"], 0.2)
    frozen.requires_grad_(False)
    assert self_check(frozen, PAIRS, autocast=None).path == "padded"
