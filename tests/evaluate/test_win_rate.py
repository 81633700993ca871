"""Win rates, sign tests and the agreement of judges, against what others compute."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiebreak.evaluate.bootstrap import mean_over_prompts, prompts_needed
from tiebreak.evaluate.win_rate import agreement, longer_by, sign_test, win_rate, win_rate_json

POINTS = st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=1, max_size=40)


@settings(max_examples=12, deadline=None)
@given(POINTS)
def test_counts_and_value_agree(points: list[float | None]) -> None:
    found = win_rate(points, [(-1) ** i for i in range(len(points))])
    there = [point for point in points if point is not None]
    if not there:
        assert found is None
        return
    assert found is not None
    assert found.wins + found.ties + found.losses + found.not_judged == len(points)
    assert found.value == mean_over_prompts(there)
    assert found.value.value == pytest.approx((found.wins + found.ties / 2) / len(there))
    assert found.prompts == len(there)


@pytest.mark.parametrize(
    ("wins", "losses", "value"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (15, 5, 0.04138947)]
)
def test_the_sign_test_is_exact(wins: int, losses: int, value: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(value)
    assert sign_test(losses, wins) == sign_test(wins, losses)


def test_the_sign_test_of_many_is_finite() -> None:
    assert sign_test(6000, 4000) == pytest.approx(0.0, abs=1e-80)
    assert sign_test(5000, 5000) == 1.0


def test_a_prompt_that_counts_several_times_widens_the_interval() -> None:
    points, longer = [1.0, 0.0] * 30, [1, -1] * 30
    alone = win_rate(points, longer)
    together = win_rate(points, longer, [i // 10 % 2 + 2 * (i % 2) for i in range(60)])
    assert alone is not None
    assert together is not None
    assert (alone.prompts, together.prompts) == (60, 4)
    assert together.value.high - together.value.low > alone.value.high - alone.value.low


def test_how_many_more_prompts_goes_by_how_much_verdicts_differ() -> None:
    half = win_rate([1.0, 0.0] * 10, [0] * 20)
    ties = win_rate([0.5] * 18 + [1.0, 0.0], [0] * 20)
    same = win_rate([1.0] * 20, [0] * 20)
    assert half is not None
    assert ties is not None
    assert same is not None
    assert half.more_prompts == {each: prompts_needed(each / 100) - 20 for each in (2, 5, 10)} == same.more_prompts
    assert ties.more_prompts[2] < half.more_prompts[2] / 5
    assert ties.more_prompts[10] == 0
    assert win_rate_json(half)["more_prompts"]["10"] == half.more_prompts[10]


def test_at_equal_lengths_a_model_that_only_writes_more_wins_half() -> None:
    points = [1.0] * 270 + [0.0] * 30 + [0.0] * 90 + [1.0] * 10
    longer = [300] * 300 + [-300] * 100
    found = win_rate(points, longer)
    assert found is not None
    assert found.length_controlled is not None
    assert found.value.value == 0.7
    assert found.length_controlled.value == pytest.approx(0.5, abs=0.06)
    assert longer_by(["abc", ""], ["a", "bb"]) == [2, -2]


def test_agreement_is_cohens_kappa() -> None:
    one = [1.0, 1.0, 0.0, 0.5, None, 1.0]
    other = [1.0, 0.0, 0.0, 0.5, 1.0, None]
    found = agreement(one, other)
    assert found is not None
    assert (found.comparisons, found.same) == (4, 0.75)
    # By hand: chance is (2·1 + 1·2 + 1·1) / 16 = 5/16, and (12/16 − 5/16) / (11/16) = 7/11.
    assert found.kappa == pytest.approx(7 / 11)
    always = agreement([1.0, 1.0], [1.0, 1.0])
    assert always is not None
    assert always.kappa is None
    assert agreement([None], [1.0]) is None
    against = agreement([1.0, 0.0], [0.0, 1.0])
    assert against is not None
    assert against.kappa == -1.0


def test_the_mean_of_several_people_counts_as_it_is_and_is_tested_and_agreed_with_as_most_of_them_say() -> None:
    points = [2 / 3, 1 / 3, 0.5, 1.0, 0.75]
    found = win_rate(points, [0] * 5)
    assert found is not None
    assert (found.wins, found.ties, found.losses) == (3, 1, 1)
    assert found.value.value == pytest.approx(sum(points) / 5)
    assert found.sign_test == sign_test(3, 1)
    same = agreement(points, [1.0, 0.0, 0.5, 1.0, 0.5])
    assert same == agreement([1.0, 0.0, 0.5, 1.0, 1.0], [1.0, 0.0, 0.5, 1.0, 0.5])
    assert same is not None
    assert same.same == 0.8
