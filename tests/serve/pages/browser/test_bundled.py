"""The whole journey with the bundled model: ask, read, compare, vote, export, and load what was exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.serve.pages.browser.steps import answered, compare, open_page, say, vote
from tests.serve.pages.site import serving
from tiebreak.data.load import load_preferences
from tiebreak.data.sources import SourceSpec
from tiebreak.serve.loading import find_models
from tiebreak.serve.local import LocalEngine
from tiebreak.serve.pages import PageSettings
from tiebreak.votes import open_votes


def test_a_vote_on_the_bundled_models_answers_becomes_a_row_to_train_on(context: Any, tmp_path: Path) -> None:
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
