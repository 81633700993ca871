"""The objective, its limits, and the registry that configures it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tiebreak.errors import InputError
from tiebreak.objectives import PairLogps, objective_named, objective_names, pair_metrics
from tiebreak.objectives.registry import _REGISTRY, objective
from tiebreak.objectives.sigmoid import sigmoid


def _pairs(seed: int, n: int = 16, *, grad: bool = False) -> PairLogps:
    draw = torch.Generator().manual_seed(seed)
    chosen, rejected = (-50 * torch.rand(n, generator=draw) for _ in range(2))
    tokens = torch.randint(1, 30, (n,), generator=draw).float()
    return PairLogps(chosen.requires_grad_(grad), rejected.requires_grad_(grad), tokens, tokens + 1)


def test_it_is_log_2_where_policy_and_reference_agree() -> None:
    pairs = _pairs(0)
    for smoothing in (0.0, 0.2):
        loss = sigmoid(pairs, pairs, beta=0.3, label_smoothing=smoothing)
        torch.testing.assert_close(loss, torch.full_like(loss, math.log(2)))


def test_it_is_the_papers_formula() -> None:
    policy, reference = _pairs(1), _pairs(2)
    margin = 0.25 * (
        (policy.chosen - reference.chosen).double().numpy() - (policy.rejected - reference.rejected).double().numpy()
    )
    right, flipped = np.log1p(np.exp(-margin)), np.log1p(np.exp(margin))
    expected = 0.9 * right + 0.1 * flipped
    found = sigmoid(policy, reference, beta=0.25, label_smoothing=0.1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_its_gradient_raises_the_chosen_and_lowers_the_rejected() -> None:
    policy = _pairs(3, grad=True)
    sigmoid(policy, _pairs(4), beta=0.1, label_smoothing=0.0).sum().backward()
    assert policy.chosen.grad is not None
    assert policy.rejected.grad is not None
    assert (policy.chosen.grad < 0).all()
    assert (policy.rejected.grad > 0).all()


def test_smoothing_turns_back_past_the_assumed_certainty() -> None:
    policy = PairLogps(torch.tensor([80.0], requires_grad=True), torch.zeros(1), torch.ones(1), torch.ones(1))
    zero = PairLogps(*(torch.zeros(1) for _ in range(2)), torch.ones(1), torch.ones(1))
    sigmoid(policy, zero, beta=0.1, label_smoothing=0.1).sum().backward()
    assert policy.chosen.grad is not None
    assert policy.chosen.grad > 0  # margin 8 is more certain than 90%


def test_metrics_have_the_names_that_the_ecosystem_knows() -> None:
    policy, reference = _pairs(5), _pairs(6)
    found = pair_metrics(policy, reference, beta=2.0)
    torch.testing.assert_close(found["rewards/margins"], found["rewards/chosen"] - found["rewards/rejected"])
    torch.testing.assert_close(found["rewards/chosen"], 2 * (policy.chosen - reference.chosen))
    assert set(found) == {
        *("rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins"),
        *("logps/chosen", "logps/rejected", "logps/accuracies"),
    }


def test_an_equal_margin_is_no_right_answer() -> None:
    pairs = _pairs(7)
    assert pair_metrics(pairs, pairs, beta=0.1)["rewards/accuracies"].sum() == 0


def test_a_setting_that_an_objective_does_not_take_is_refused() -> None:
    def shortest(policy: PairLogps, reference: PairLogps, *, beta: float) -> torch.Tensor:
        """A loss with one setting."""
        return beta * (policy.rejected - policy.chosen)

    objective(shortest)
    try:
        entry = objective_named("shortest")
        assert entry.settings == ("beta",)
        given, defaults = {"beta": 0.5, "label_smoothing": 0.0}, {"beta": 0.1, "label_smoothing": 0.0}
        torch.testing.assert_close(
            entry.configured(given, defaults)(_pairs(8), _pairs(9)), shortest(_pairs(8), _pairs(9), beta=0.5)
        )
        with pytest.raises(InputError, match="takes no 'label_smoothing'"):
            entry.configured({**given, "label_smoothing": 0.1}, defaults)
    finally:
        del _REGISTRY["shortest"]


def test_an_unknown_objective_is_answered_with_the_nearest() -> None:
    assert "sigmoid" in objective_names()
    with pytest.raises(InputError, match="no objective 'sigmod'") as caught:
        objective_named("sigmod")
    assert caught.value.fix == "did you mean 'sigmoid'?"
