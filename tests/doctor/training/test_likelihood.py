"""Likelihood displacement, with a real run that has it."""

from __future__ import annotations

import pytest

from tests.doctor.made import QUICKSTART, SMALL_BETA, facts_of
from tiebreak.doctor.examine import examine
from tiebreak.doctor.training.likelihood import likelihood_displacement


def test_a_real_run_whose_chosen_answers_lose_three_quarters_of_their_log_prob() -> None:
    (finding,) = examine(SMALL_BETA, recipe="quickstart").findings
    assert (finding.name, finding.severity, finding.sure) == ("likelihood-displacement", "warning", "certain")
    # Of the held-out pairs it was measured before the run: -7.12 nats; here it is worked out from two later rows.
    assert [figure.written for figure in finding.evidence] == ["−0.4651", "−22.63", "−7.12", "+4.6184"]


def test_the_quickstart_raises_its_chosen_answers() -> None:
    assert likelihood_displacement(examine(QUICKSTART, objective="sigmoid").facts) is None


@pytest.mark.parametrize(
    ("chosen", "margin", "expected"),
    [
        (-2.0, 1.5, "warning"),  # it lost more than the margin gained
        (-0.5, 1.5, "note"),
        (-0.1, 1.5, None),
        (0.4, 1.5, None),
        (-2.0, 0.0, None),  # no margin was won
    ],
)
def test_by_rewards_which_begin_at_zero(chosen: float, margin: float, expected: str | None) -> None:
    curves = {"eval_rewards/chosen": [(100, chosen)], "eval_rewards/margins": [(100, margin)]}
    finding = likelihood_displacement(facts_of(curves))
    assert (finding.severity if finding else None) == expected


def test_without_a_reference_rewards_begin_where_they_begin() -> None:
    curves = {"eval_rewards/chosen": [(10, -1.0), (100, -0.9)], "eval_rewards/margins": [(10, 0.2), (100, 0.8)]}
    assert likelihood_displacement(facts_of(curves, objective="simpo")) is None
    falling = {**curves, "eval_rewards/chosen": [(10, -1.0), (100, -2.0)]}
    finding = likelihood_displacement(facts_of(falling, objective="simpo"))
    assert finding is not None
    assert finding.severity == "warning"


def test_by_log_probs_alone_it_is_a_note_unless_half_is_lost() -> None:
    margins = [(step, 0.01 * step) for step in range(10, 210, 10)]
    for last, expected in ((-130, "note"), (-160, "warning"), (-100.2, None)):
        logps = [(step, -100 + (last + 100) * (step - 10) / 190) for step in range(10, 210, 10)]
        finding = likelihood_displacement(facts_of({"logps/chosen": logps, "rewards/margins": margins}))
        assert (finding.severity if finding else None) == expected


def test_without_margins_nothing_is_said() -> None:
    assert likelihood_displacement(facts_of({"eval_rewards/chosen": [(100, -3.0)]})) is None


def test_the_change_is_a_recipe(tmp_path: object) -> None:
    from tiebreak.recipe import Recipe, parse_value

    finding = likelihood_displacement(
        facts_of({"eval_rewards/chosen": [(100, -3.0)], "eval_rewards/margins": [(100, 1.0)]})
    )
    assert finding is not None
    changed = Recipe().with_settings({key: parse_value(value) for key, value in finding.change.items()})
    assert changed.objective.add == {"nll": 0.2}
