"""The language of judges: scores become verdicts, and equal questions are asked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tiebreak.data.preference import Message
from tiebreak.evaluate.judges.judge import (
    Asked,
    Comparison,
    OnProgress,
    PointwiseJudge,
    Score,
    by_scores,
    is_score,
    pass_fail,
)

PROMPT = (Message("user", "Why?"),)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (1, 0, 1.0),
        (0.1, 0.2, 0.0),
        (True, True, 0.5),
        (True, False, 1.0),
        (2.0, 2, 0.5),
        (None, 1, None),
        (1, None, None),
    ],
)
def test_the_higher_score_wins(first: Score, second: Score, verdict: float | None) -> None:
    assert by_scores(first, second) == verdict


def test_each_answer_is_scored_once_and_comparisons_keep_their_order() -> None:
    seen: list[str] = []

    def score(asked: Sequence[Asked], progress: OnProgress) -> tuple[list[Score], Mapping[str, int]]:
        seen.extend(answer for _, answer in asked)
        progress(len(asked))
        return [len(answer) for _, answer in asked], {}

    judge = PointwiseJudge("length", score)
    found = judge.compare(
        [Comparison(PROMPT, "aa", "b"), Comparison(PROMPT, "b", "aa"), Comparison([*PROMPT], "b", "b")]
    )
    assert found.points == (1.0, 0.0, 0.5)
    assert (found.first, found.second) == ((2, 1, 1), (1, 2, 1))
    assert seen == ["aa", "b"]
    assert found.judged == 3
    assert judge.cost([]) is None


def test_what_a_score_is() -> None:
    assert all(is_score(value) for value in (True, 0, -1.5))
    assert not any(is_score(value) for value in (None, "1", float("nan"), float("inf"), [1]))
    assert pass_fail([True, False])
    assert not any(pass_fail(scores) for scores in (None, [], [True, 1.0], [True, None]))
