"""The whole journey with the bundled model: ask, read, compare, vote, export, and train on what was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serve.pages.browser.steps import answered, compare, open_page, say, vote
from tests.serve.pages.site import serving
from tiebreak.cli.main import run
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.serve.generation.loading import find_models
from tiebreak.serve.generation.local import LocalEngine
from tiebreak.serve.pages import PageSettings
from tiebreak.votes import open_votes


def test_a_vote_on_the_bundled_models_answers_is_trained_on(
    context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, page = LocalEngine(find_models(["bundled:base"])), context.new_page()
    settings = PageSettings(default_tokens=40, temperature=1.0, seed=5)
    with open_votes(str(tmp_path / "votes.db")) as votes, serving(engine, votes, tmp_path, settings) as (url, _):
        page.goto(url)
        say(page, "What is the capital of Velmora?")
        assert answered(page)[0].strip()
        compare(page, "Tell me about rivers.")
        left, right = (one.strip() for one in page.locator("#compare-answers .tb-said").all_inner_texts())
        assert left != right
        vote(page, "Left is better")
        open_page(page, "Data")
        with page.expect_download() as coming:
            page.get_by_role("link", name="Export training rows").click()
        file = tmp_path / coming.value.suggested_filename
        coming.value.save_as(file)
        page.close()
    (row,) = load_preferences(SourceSpec(str(file))).dataset
    assert (row["chosen"], row["rejected"]) == (left, right)
    assert row["prompt"][-1]["content"] == "Tell me about rivers."

    flags = ["--max-steps", "3", "--learning-rate", "1e-3"]
    flags += ["--set", "data.eval_fraction=0", "--set", "train.log_every=1"]
    monkeypatch.chdir(tmp_path)
    words = ["train", "--model", "bundled:base", "--data", "votes:votes.db", *flags, "--out", "run"]
    with pytest.raises(SystemExit) as done:
        run(words)
    assert done.value.code == 0
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1]["rewards/margins"] > 0
