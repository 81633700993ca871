"""The verdict says no more than the metrics carry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.made import manifest_of, supervised_manifest, unpaired_manifest
from tiebreak.report.verdict import verdict


@pytest.mark.parametrize(
    ("changes", "tone", "words"),
    [
        ({}, "better", "93.1% (95% interval 90.2–95.2%"),
        ({"judge": {"name": "bundled", "win_rate": {"value": 0.5, "interval": [0.45, 0.55]}}}, "unclear", "50.0%"),
        ({"judge": {"name": "bundled", "win_rate": {"value": 0.2, "interval": [0.15, 0.25]}}}, "worse", "20.0%"),
        ({"judge": {"name": "bundled", "after": {"pass_rate": 0.9, "interval": [0.8, 0.95]}}}, "better", "81.2%"),
        ({"judge": None}, "better", "No judge read the model's own answers"),
        ({"judge": None, "after": {"eval_rewards/accuracies": 0.51}}, "unclear", "51.0%"),
        ({"judge": None, "after": {"eval_rewards/accuracies": 0.2}}, "worse", "20.0%"),
        ({"judge": None, "after": None, "before": None}, "unclear", "No held-out pairs were measured"),
        ({"status": "failed", "error": "The loss is not finite."}, "failed", "The loss is not finite."),
        ({"status": "interrupted"}, "unfinished", ""),
    ],
)
def test_the_verdict_claims_what_the_interval_carries(changes: dict[str, Any], tone: str, words: str) -> None:
    said = verdict(manifest_of(**changes))
    assert said.tone == tone
    assert words in said.detail


def test_a_run_is_unfinished_until_its_last_figures_are_recorded() -> None:
    assert verdict(manifest_of(status="running")).tone == "better"
    assert verdict(manifest_of(status="running", after=None, measured=False)).tone == "unfinished"


def test_a_supervised_run_is_judged_by_its_held_out_loss() -> None:
    assert verdict(supervised_manifest()).tone == "better"
    assert verdict(supervised_manifest(after={"eval_loss": 2.4})).tone == "worse"
    assert verdict(supervised_manifest(before=None, after=None)).tone == "unclear"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"eval_rewards/margins": 0.41}, "good ones is 0.41 above that of bad ones"),
        ({"eval_rewards/margins": -0.41}, "good ones is 0.41 below that of bad ones"),
        ({"eval_rewards/margins": 0.0}, "good ones is the same as that of bad ones"),
        ({"eval_loss": 0.44}, "No held-out unpaired completions were measured"),
        (None, "No held-out unpaired completions were measured"),
    ],
)
def test_a_run_on_unpaired_completions_is_described_in_their_words(after: dict[str, float] | None, words: str) -> None:
    said = verdict(unpaired_manifest(after=after))
    assert said.tone == "unclear"
    assert words in said.detail
    assert " pairs" not in said.headline + said.detail
    assert "preferences" not in said.headline + said.detail
