"""Whether ln 2 means anything in a log, where somebody names its loss and where nobody does."""

from __future__ import annotations

import pytest

from tests.doctor.made import QUICKSTART, TABLES, facts_of
from tiebreak.doctor.examine import examine
from tiebreak.doctor.objective import from_reference, ln2_scale
from tiebreak.objectives import objective_names

MARGINS = {"eval_rewards/margins": [(100, 1.0)]}


def test_it_is_taken_for_dpo_where_nothing_contradicts() -> None:
    scale = ln2_scale(examine(QUICKSTART).facts)
    assert scale is not None
    assert scale.assumed
    assert TABLES


@pytest.mark.parametrize(
    "curves",
    [
        {"loss": [(1, 1.196), (10, 1.0)], "rewards/margins": [(1, 0.26), (10, 0.57)]},  # SimPO
        {"loss": [(1, 25.0), (10, 24.0)], "rewards/margins": [(1, 0.0), (10, 0.1)]},  # IPO
        {"eval_loss": [(100, 0.05)], **MARGINS},  # less than any mean of the sigmoid loss at that margin
        {"loss": [(10, 2.4), (20, 2.2)]},  # demonstrations
    ],
)
def test_a_log_that_cannot_be_dpos(curves: dict[str, list[tuple[float, float]]]) -> None:
    assert ln2_scale(facts_of(curves, objective=None)) is None


def test_a_loss_is_at_least_that_of_its_mean_margin() -> None:
    assert ln2_scale(facts_of({"eval_loss": [(100, 0.32)], **MARGINS}, objective=None)) is not None


def test_each_objective_is_known_or_left_alone() -> None:
    known = {name for name in objective_names() if ln2_scale(facts_of({}, objective=name)) is not None}
    assert known == {"sigmoid", "sigmoid_norm", "robust", "dpop"}
    without = {name for name in objective_names() if not from_reference(facts_of({}, objective=name))}
    assert {"simpo", "orpo", "cpo", "slic_hf", "nll"} <= without
    assert "sigmoid" not in without
    assert not from_reference(facts_of({}, objective="supervised"))
    assert not from_reference(facts_of({}, objective="mine:loss"))
