"""The KL estimate: the mean by hand, its error, and the truth where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tiebreak.evaluate.kl import kl_estimate


def test_the_mean_of_the_log_ratios_with_its_standard_error() -> None:
    found = kl_estimate([-1.0, -2.0, -6.0], [-2.0, -5.0, -8.0], [1, 2, 6])
    assert found is not None
    assert (found.answers, found.tokens) == (3, 3.0)
    assert found.value.value == 2.0  # of 1, 3 and 2
    assert found.standard_error == pytest.approx(1 / math.sqrt(3))
    assert 1.0 <= found.value.low < 2.0 < found.value.high <= 3.0


def test_one_answer_has_no_standard_error_and_none_has_no_estimate() -> None:
    one = kl_estimate([-1.0], [-1.5], [4])
    assert one is not None
    assert (one.value.value, one.value.low, one.value.high, one.standard_error) == (0.5, 0.5, 0.5, None)
    assert kl_estimate([], [], []) is None


def test_a_model_is_no_way_from_itself() -> None:
    found = kl_estimate([-3.0, -4.0], [-3.0, -4.0], [1, 1])
    assert found is not None
    assert (found.value.value, found.value.low, found.value.high, found.standard_error) == (0.0, 0.0, 0.0, 0.0)


def test_draws_of_two_known_distributions_give_their_divergence() -> None:
    policy, reference = np.array([0.7, 0.2, 0.1]), np.array([0.2, 0.5, 0.3])
    truth = float((policy * np.log(policy / reference)).sum())
    drawn = np.random.default_rng(0).choice(3, size=4000, p=policy)
    found = kl_estimate(np.log(policy)[drawn], np.log(reference)[drawn], [1] * 4000)
    assert found is not None
    assert found.standard_error is not None
    assert found.value.low < truth < found.value.high
    assert abs(found.value.value - truth) < 3 * found.standard_error
    assert found.value.high - found.value.low == pytest.approx(2 * 1.96 * found.standard_error, rel=0.05)
