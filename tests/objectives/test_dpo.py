"""Direct preference optimization itself, by its formula and its limits; and the weights of WPO."""

from __future__ import annotations

import math

import numpy as np
import torch

from tests.objectives.logps import drawn_pairs, pairs_of, zeros
from tiebreak.objectives.dpo import sigmoid, wpo_weights


def test_it_is_log_2_where_policy_and_reference_agree() -> None:
    pairs = drawn_pairs(0)
    for smoothing in (0.0, 0.2):
        loss = sigmoid(pairs, pairs, beta=0.3, label_smoothing=smoothing)
        torch.testing.assert_close(loss, torch.full_like(loss, math.log(2)))


def test_it_is_the_papers_formula() -> None:
    policy, reference = drawn_pairs(1), drawn_pairs(2)
    margin = 0.25 * (
        (policy.chosen - reference.chosen).double().numpy() - (policy.rejected - reference.rejected).double().numpy()
    )
    right, flipped = np.log1p(np.exp(-margin)), np.log1p(np.exp(margin))
    expected = 0.9 * right + 0.1 * flipped
    found = sigmoid(policy, reference, beta=0.25, label_smoothing=0.1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_its_gradient_raises_the_chosen_and_lowers_the_rejected() -> None:
    policy = drawn_pairs(3, grad=True)
    torch.autograd.backward(sigmoid(policy, drawn_pairs(4), beta=0.1, label_smoothing=0.0).sum())
    assert policy.chosen.grad is not None
    assert policy.rejected.grad is not None
    assert (policy.chosen.grad < 0).all()
    assert (policy.rejected.grad > 0).all()


def test_smoothing_turns_back_past_the_assumed_certainty() -> None:
    policy = pairs_of([80.0], [0.0], grad=True)
    torch.autograd.backward(sigmoid(policy, zeros(), beta=0.1, label_smoothing=0.1).sum())
    assert policy.chosen.grad is not None
    assert policy.chosen.grad > 0  # margin 8 is more certain than 90%


def test_wpo_weighs_a_pair_by_the_product_of_both_confidences_and_never_above_1() -> None:
    chosen = torch.tensor([-0.5, -1.0, 0.2], requires_grad=True)
    weights = wpo_weights(chosen, torch.tensor([-0.25, -2.0, 0.1]))
    torch.testing.assert_close(weights, torch.tensor([math.exp(-0.75), math.exp(-3.0), 1.0]))
    assert not weights.requires_grad
