"""Accuracy at equal lengths: against scikit-learn's regression, and on models that only know lengths."""

from __future__ import annotations

import numpy as np
import pytest

from tiebreak.evaluate.length_control import length_controlled

RANDOM = np.random.default_rng(0)
LONGER = RANDOM.normal(5.0, 20.0, size=2000).round()
PROMPTS = list(range(2000))


def test_a_model_that_prefers_what_is_longer_knows_nothing_at_equal_lengths() -> None:
    found = length_controlled(np.sign(LONGER) / 2 + 0.5, LONGER, PROMPTS)
    assert (np.sign(LONGER) > 0).mean() > 0.57
    assert found is not None
    assert found.value == pytest.approx(0.5, abs=0.06)
    assert found.low < 0.5 < found.high


def test_a_model_that_does_not_look_at_lengths_has_its_accuracy() -> None:
    right = (RANDOM.random(2000) < 0.8).astype(float)
    found = length_controlled(right, LONGER, PROMPTS)
    assert found is not None
    assert found.value == pytest.approx(right.mean(), abs=0.01)
    assert found.low < right.mean() < found.high


def test_the_regression_is_that_of_a_library() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    right = (RANDOM.random(2000) < 1 / (1 + np.exp(-(0.4 + 0.03 * LONGER)))).astype(float)
    found = length_controlled(right, LONGER, PROMPTS)
    fitted = linear_model.LogisticRegression(C=1.0, tol=1e-10).fit(np.tanh(LONGER / LONGER.std())[:, None], right)
    assert found is not None
    assert found.value == pytest.approx(1 / (1 + np.exp(-fitted.intercept_[0])), abs=1e-5)
    assert found.low < 1 / (1 + np.exp(-0.4)) < found.high


@pytest.mark.parametrize("longer", [[3, 4, 5], [-1, -2, -9]])
def test_nothing_is_said_where_one_side_is_always_longer(longer: list[int]) -> None:
    assert length_controlled([1, 0, 1], longer, [0, 1, 2]) is None


def test_pairs_that_are_all_right_or_all_equally_long_have_no_trouble() -> None:
    found = length_controlled([1.0] * 40, [-1, 1] * 20, list(range(40)))
    assert found is not None
    assert found.low == pytest.approx(1.0, abs=1e-6)
    same = length_controlled([1.0, 0.0, 1.0, 0.5], [0, 0, 0, 0], [0, 1, 2, 3])
    assert same is not None
    assert same.value == pytest.approx(0.625)


def test_pairs_of_one_prompt_are_drawn_together() -> None:
    right = (RANDOM.random(60) < 0.6).astype(float)
    apart = length_controlled(right, LONGER[:60], list(range(60)))
    together = length_controlled(np.repeat(right, 4), np.repeat(LONGER[:60], 4), [row // 4 for row in range(240)])
    assert apart is not None
    assert together is not None
    assert together.high - together.low == pytest.approx(apart.high - apart.low, rel=0.2)
