from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.files import load
from tiebreak.data.load import LoadedPreferences
from tiebreak.data.select import select
from tiebreak.recipe import DataSection


@pytest.fixture
def harmless(shared_data: Path) -> LoadedPreferences:
    return load(shared_data / "hh-rlhf" / "harmless-base-test.jsonl.gz")


def test_the_harmless_test_split_makes_2308_pairs_and_names_the_four_left_out(harmless: LoadedPreferences) -> None:
    assert harmless.recognition.schema == "transcript"
    assert harmless.report.rows == 2312
    assert harmless.report.pairs == len(harmless.dataset) == 2308
    (tally,) = harmless.report.left_out.values()
    assert tally.count == 4
    assert [place.rpartition(":")[2] for place in tally.examples] == ["1255", "1689", "1953", "2037"]
    (empty,) = harmless.report.notes.values()
    assert [place.rpartition(":")[2] for place in empty.examples] == ["87", "517", "926", "1104"]


def test_every_prompt_ends_with_the_human_and_endings_have_no_white_space_around(harmless: LoadedPreferences) -> None:
    for row in harmless.dataset:
        assert row["prompt"][-1]["role"] == "user"
        assert row["chosen"] == row["chosen"].strip()
        assert row["rejected"] == row["rejected"].strip()


def test_a_share_is_held_out_by_prompt(harmless: LoadedPreferences) -> None:
    chosen = select(harmless, DataSection(eval_fraction=0.05))
    assert (chosen.report.train, chosen.report.held_out) == (2193, 115)


def test_empty_answers_are_left_out_by_min_chars(harmless: LoadedPreferences) -> None:
    chosen = select(harmless, DataSection(min_chars=1, eval_fraction=0))
    assert chosen.report.train == 2304
