"""Two models on the same pairs: equal ones are equal, better ones better, whatever the reference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate.tables import measured
from tiebreak.engine.score import Scores
from tiebreak.evaluate.compare import compare_on_pairs, difference
from tiebreak.objectives import configured

SIGMOID = configured("sigmoid", {"beta": 0.1})
PROMPTS = [f"prompt {number}" for number in range(400)]


def scores_of(margins: np.ndarray, *, start: float = -20.0) -> Scores:
    """Chosen completions that are likelier than the rejected by so much."""
    logp = np.stack([start + margins, np.full_like(margins, start)], axis=1).astype(np.float32)
    return Scores(logp, np.full_like(logp, 8.0), np.zeros_like(logp))


REFERENCE = scores_of(np.zeros(400))


def test_equal_models_are_equal_and_no_step_ahead() -> None:
    same = scores_of(np.random.default_rng(0).normal(size=400))
    found = compare_on_pairs(same, same, REFERENCE, objective=SIGMOID, prompts=PROMPTS)
    assert found.accuracy_before == found.accuracy_after
    assert (found.accuracy.value, found.accuracy.low, found.accuracy.high) == (0, 0, 0)
    assert (found.loss.low, found.loss.high) == (0, 0)
    assert (found.pairs, found.prompts) == (400, 400)


def test_the_reference_itself_has_half_of_its_pairs_right() -> None:
    better = scores_of(np.full(400, 2.0))
    found = compare_on_pairs(REFERENCE, better, REFERENCE, objective=SIGMOID, prompts=PROMPTS)
    assert (found.accuracy_before, found.accuracy_after) == (0.5, 1.0)
    assert found.loss_before == pytest.approx(np.log(2))
    assert found.accuracy.low == 0.5
    assert found.loss.high < 0


def test_what_changes_both_ways_is_not_clear() -> None:
    before = np.random.default_rng(0).choice([-1.0, 1.0], size=400)
    after = before.copy()
    after[:40] *= -1  # as many fall as rise, on average
    found = compare_on_pairs(scores_of(before), scores_of(after), REFERENCE, objective=SIGMOID, prompts=PROMPTS)
    assert found.accuracy.low < 0 < found.accuracy.high


def test_a_model_that_is_only_surer_has_the_same_accuracy_and_another_loss() -> None:
    before = np.random.default_rng(0).normal(0.3, 1.0, size=400)
    found = compare_on_pairs(scores_of(before), scores_of(40 * before), REFERENCE, objective=SIGMOID, prompts=PROMPTS)
    assert (found.accuracy.low, found.accuracy.high) == (0, 0)
    assert found.loss.value != 0


def test_an_objective_without_reference_takes_the_models_as_they_are() -> None:
    simpo = configured("simpo", {})
    found = compare_on_pairs(
        scores_of(np.full(400, -1.0)), scores_of(np.full(400, 1.0)), None, objective=simpo, prompts=PROMPTS
    )
    assert (found.accuracy_before, found.accuracy_after) == (0.0, 1.0)


def test_pairs_of_one_prompt_count_as_one_prompt() -> None:
    margins = np.random.default_rng(0).normal(size=400)
    found = compare_on_pairs(
        scores_of(np.zeros(400)),
        scores_of(margins),
        REFERENCE,
        objective=SIGMOID,
        prompts=[number // 100 for number in range(400)],
    )
    assert found.prompts == 4
    assert found.pairs == 400


def test_two_models_are_compared_on_the_pairs_that_both_were_measured_on() -> None:
    before = measured([1.0, -1.0, 1.0, -1.0], rows=[0, 1, 2, 3])
    after = measured([2.0, 2.0, -2.0], rows=[3, 1, 7])
    found = difference(before, after, same_loss=True)
    assert found is not None
    assert (found.pairs, found.accuracy.value) == (2, 1.0)
    assert found.loss is not None
    assert found.loss.value == pytest.approx(np.log1p(np.exp(-2)) - np.log1p(np.exp(1)))


def test_losses_of_two_objectives_have_no_difference_and_other_pairs_none_at_all() -> None:
    one = measured([1.0, -1.0], rows=[0, 1])
    found = difference(one, one, same_loss=False)
    assert found is not None
    assert found.loss is None
    assert (found.accuracy.low, found.accuracy.high) == (0.0, 0.0)
    assert difference(one, measured([1.0], rows=[5]), same_loss=True) is None
