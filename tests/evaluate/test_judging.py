"""Shares and their intervals, and what is recorded of a judge's verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tiebreak.data.preference import Message
from tiebreak.evaluate.judges import PointwiseJudge, Prompt, Score
from tiebreak.evaluate.judges.judge import one_by_one
from tiebreak.evaluate.judging import judge_answers, judged_alone, pass_rate

PROMPTS = [(Message("user", f"Question {number}?"),) for number in range(4)]


def judge_by(read: Mapping[str, Score]) -> PointwiseJudge:
    """A judge that has a score for each answer."""

    def score(prompt: Prompt, answer: str) -> Score:
        return read[answer]

    return PointwiseJudge("the judge", one_by_one(score, lambda value, prompt: value), {"python": "a:b"})


def test_a_pass_rate_has_wilsons_interval() -> None:
    share = pass_rate([True] * 95 + [False] * 5)
    assert share.value == 0.95
    assert share.low == pytest.approx(0.8882, abs=1e-4)
    assert share.high == pytest.approx(0.9785, abs=1e-4)


def test_all_and_none_stay_within_zero_and_one() -> None:
    assert pass_rate([True] * 20).high == 1.0
    assert pass_rate([True] * 20).low < 1.0
    assert pass_rate([False] * 20).low == 0.0


def test_passes_are_recorded_as_rates_and_wins_of_the_model_after() -> None:
    judge = judge_by({"good": True, "bad": False})
    said, record = judge_answers(judge, PROMPTS, ["bad", "good", "bad", "good"], ["good", "good", "good", "bad"])
    assert said.points == (1.0, 0.5, 1.0, 0.0)
    assert (record.name, record.prompts, record.not_judged) == ("the judge", 4, 0)
    assert record.before is not None
    assert record.after is not None
    assert (record.before.pass_rate, record.after.pass_rate) == (0.5, 0.75)
    assert record.win_rate is not None
    assert record.win_rate.value == 0.625
    assert record.judge == {"python": "a:b"}


@pytest.mark.parametrize("scores", [{"x": 1.5, "y": 0.5}, {"x": True, "y": None}])
def test_scores_and_answers_without_one_have_no_pass_rate(scores: Mapping[str, Score]) -> None:
    _, record = judge_answers(judge_by(scores), PROMPTS, ["y"] * 4, ["x"] * 4)
    assert record.before is record.after is None
    judged = scores["y"] is not None
    assert (record.win_rate is not None) == judged
    assert record.not_judged == (0 if judged else 4)


@pytest.mark.parametrize(("scores", "rate"), [([True, False], 0.5), ([0.3, 0.4], None), ([True, None], None)])
def test_one_model_alone_has_a_pass_rate_where_the_judge_says_pass_or_fail(
    scores: Sequence[Score], rate: float | None
) -> None:
    record = judged_alone(judge_by({}), scores)
    assert (None if record.after is None else record.after.pass_rate) == rate
    assert record.before is None
    assert record.win_rate is None
