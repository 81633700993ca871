"""The page of a search: all of it on one safe page, for finished, failed and unfinished trials."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.report.test_page import Page
from tests.sweep.made import MadeUp, begun, searched
from tests.sweep.test_drive import by_rate
from tiebreak.errors import RunError
from tiebreak.recipe import Recipe
from tiebreak.report.sweep_page import render_search
from tiebreak.sweep import trial as module
from tiebreak.sweep.drive import work
from tiebreak.sweep.report import shown_of, write_results
from tiebreak.sweep.study import Study
from tiebreak.workflow.progress import Progress


def test_a_page_has_all_of_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MadeUp(by_rate)

    def fail(recipe: Recipe, evaluation: int) -> None:
        if recipe.train.batch_size == 4 and recipe.train.learning_rate == 1e-6:
            raise RunError("<b>Memory</b> does not suffice.")

    made.on_step = fail
    monkeypatch.setattr(module, "train_among", made)
    over = {"train.learning_rate": [1e-6, 2e-6, 4e-6], "train.batch_size": [2, 4]}
    plan, folder = begun(tmp_path, searched(over))
    trials = work(plan, folder, Progress(), write_results)
    text = folder.report_path.read_text()
    page = Page(text)
    assert "src=" not in text
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", text)
    assert "&lt;b&gt;Memory&lt;/b&gt; does not suffice." in text
    assert text.count("<polyline") == 5
    assert "<title>trial 2: train.learning_rate=2e-06, train.batch_size=2; eval_loss 0.5000</title>" in text
    assert "eval_loss, trial by trial" in text
    assert "Share of the differences that each key explains" in text
    assert "Loss, held-out" in text
    assert page is not None
    shown = shown_of(plan, folder, trials)
    assert shown.best == [("train.learning_rate", "2e-06"), ("train.batch_size", "2")]
    assert [row[0] for row in shown.rows][:2] == ["2", "3"]
    assert shown.decides[0].key == "train.learning_rate"
    assert shown.status == "6 of 6 trials have ended."


def test_a_search_that_has_only_begun_has_a_page(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched({"train.learning_rate": {"log": [1e-6, 1e-5]}, "train.seed": [1, 2]}))
    text = render_search(shown_of(plan, folder, Study(plan, folder).trials()))
    assert "No trial has a result yet." in text
    assert "<polyline" not in text
