"""The table of pairs that were measured."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate.tables import measured
from tiebreak.engine.score import Scores
from tiebreak.evaluate.measured_pairs import measured_pairs
from tiebreak.objectives import configured


def scores(logp: list[list[float]]) -> Scores:
    values = np.asarray(logp, dtype=np.float32)
    return Scores(values, np.full_like(values, 4.0), np.zeros_like(values))


@pytest.mark.parametrize("reference", [True, False])
def test_rewards_and_losses_need_the_reference_that_the_objective_needs(reference: bool) -> None:
    policy, base = scores([[-1.0, -5.0], [-3.0, -2.0]]), scores([[-2.0, -4.0], [-3.0, -3.0]])
    found = measured_pairs(
        policy,
        base if reference else None,
        objective=configured("sigmoid", {"beta": 0.5}),
        rows=[4, 9],
        prompts=["a", "b"],
        turns=[1, 1],
        prompt_tokens=[3, 3],
    )
    if reference:
        assert found.reward is not None
        assert found.loss is not None
        assert found.reward.tolist() == [[0.5, -0.5], [0.0, 0.5]]
        assert found.margin.tolist() == [1.0, -0.5]
        assert found.loss == pytest.approx(np.log1p(np.exp([-1.0, 0.5])))
        assert found.measure == "reward"
    else:
        assert found.reward is found.loss is None
        assert found.margin.tolist() == [4.0, -1.0]
        assert found.measure == "log-prob"
    assert found.right.tolist() == [1.0, 0.0]


def test_an_objective_without_a_reference_has_rewards_of_its_own() -> None:
    found = measured_pairs(
        scores([[-1.0, -5.0]]),
        None,
        objective=configured("simpo", {}),
        rows=[0],
        prompts=["a"],
        turns=[1],
        prompt_tokens=[3],
    )
    assert found.measure == "reward"
    assert found.loss is not None


def test_a_selection_takes_every_column() -> None:
    pairs = measured([1.0, -1.0, 0.0], longer=[3, 0, -3], prompts=["a", "b", "c"], tags={"source": ["x", None, "y"]})
    some = pairs.select(np.array([True, False, True]))
    assert len(some) == 2
    assert some.prompts == ("a", "c")
    assert some.right.tolist() == [1.0, 0.5]
    assert some.longer.tolist() == [3, -3]
    assert some.tags == {"source": ("x", "y")}
    assert pairs.select(np.array([2, 0])).margin.tolist() == [0.0, 1.0]
