"""The interval of a mean: against the normal one where that holds, and with prompts that count several times."""

from __future__ import annotations

import numpy as np
import pytest

from tiebreak.evaluate.bootstrap import Estimate, mean_over_prompts, means_over_prompts, prompts_needed


def test_many_independent_values_have_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(2.0, 3.0, size=2000)
    found = mean_over_prompts(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_pairs_of_one_prompt_are_no_new_evidence() -> None:
    values = np.random.default_rng(2).normal(size=50)
    once = mean_over_prompts(values)
    thrice = mean_over_prompts(np.repeat(values, 3), [row // 3 for row in range(150)])
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=1e-9)
    independent = mean_over_prompts(np.repeat(values, 3))
    assert independent.high - independent.low < 0.7 * (once.high - once.low)


def test_prompts_of_several_sizes_weigh_by_their_pairs() -> None:
    found = mean_over_prompts([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"])
    assert found.value == 0.75
    assert (found.low, found.high) == (0.0, 1.0)


def test_several_columns_have_the_intervals_that_each_has_alone() -> None:
    columns = np.random.default_rng(4).normal(size=(3, 40))
    prompts = [number // 3 for number in range(40)]
    alone = [mean_over_prompts(column, prompts, seed=5) for column in columns]
    assert means_over_prompts(list(columns), prompts, seed=5) == alone


def test_no_difference_has_no_width_and_one_value_is_itself() -> None:
    assert mean_over_prompts([0.0] * 40) == Estimate(0.0, 0.0, 0.0)
    assert mean_over_prompts([0.25]) == Estimate(0.25, 0.25, 0.25)


def test_the_same_seed_gives_the_same_interval_however_much_is_drawn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=77)
    whole = mean_over_prompts(values, seed=5)
    monkeypatch.setattr("tiebreak.evaluate.bootstrap._AT_ONCE", 1000)
    assert mean_over_prompts(values, seed=5) == whole
    assert mean_over_prompts(values, seed=6) != whole


@pytest.mark.parametrize(("difference", "prompts"), [(0.1, 197), (0.05, 785), (0.02, 4906)])
def test_a_smaller_difference_needs_more_prompts(difference: float, prompts: int) -> None:
    assert prompts_needed(difference) == prompts
    random = np.random.default_rng(4)
    # A difference in half of the prompts by one half up or down has the standard deviation that is reckoned with.
    seen = 0
    for _ in range(300):
        drawn = random.normal(difference, 0.5, size=prompts)
        seen += drawn.mean() > 1.96 * 0.5 / np.sqrt(prompts)
    assert 0.72 < seen / 300 < 0.88
