"""Shares and their intervals."""

from __future__ import annotations

import pytest

from tiebreak.evaluate.judging import judge_for, judged, pass_rate, win_rate


def test_a_pass_rate_has_wilsons_interval() -> None:
    share = pass_rate([True] * 95 + [False] * 5)
    assert share.value == 0.95
    assert share.low == pytest.approx(0.8882, abs=1e-4)
    assert share.high == pytest.approx(0.9785, abs=1e-4)


def test_all_and_none_stay_within_zero_and_one() -> None:
    assert pass_rate([True] * 20).high == 1.0
    assert pass_rate([True] * 20).low < 1.0
    assert pass_rate([False] * 20).low == 0.0


def test_equal_verdicts_are_half_a_win() -> None:
    share = win_rate([True, False, False, True], [True, False, True, True])
    assert share.value == (0.5 + 0.5 + 1.0 + 0.5) / 4
    assert win_rate([True] * 9, [True] * 9).low == 0.5
    assert win_rate([False] * 50, [True] * 50).low == 1.0


def test_intervals_repeat() -> None:
    before, after = [i % 3 == 0 for i in range(60)], [i % 2 == 0 for i in range(60)]
    assert win_rate(before, after) == win_rate(before, after)


def test_only_bundled_data_has_a_judge() -> None:
    assert judge_for("Anthropic/hh-rlhf") is None
    assert judge_for("bundled:preferences") is not None


def test_verdicts_take_the_manifests_form() -> None:
    entry = judged("the judge", [False, True], [True, True])
    assert entry["prompts"] == 2
    assert entry["before"]["pass_rate"] == 0.5
    assert entry["win_rate"]["value"] == 0.75
    assert "before" not in judged("the judge", None, [True])
