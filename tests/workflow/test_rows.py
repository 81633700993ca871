"""Rows of a source as a `datasets.Dataset`, by plain names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import tiebreak
from tiebreak.data.preference import Preference
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError


@pytest.fixture
def prefs(tmp_path: Path) -> Path:
    rows = [{"prompt": f"What is {n}?", "chosen": f"It is {n}.", "rejected": "No."} for n in range(6)]
    file = tmp_path / "prefs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_pairs_are_a_dataset_of_canonical_rows(prefs: Path) -> None:
    for source in (prefs, str(prefs), SourceSpec(str(prefs))):
        found = tiebreak.load_preferences(source)
        assert isinstance(found, Dataset)
        assert len(found) == 6
        first = Preference.from_row(found[0])
        assert (first.prompt[0].content, first.chosen, first.rejected) == ("What is 0?", "It is 0.", "No.")


def test_pairs_serve_the_other_tasks(prefs: Path) -> None:
    unpaired = tiebreak.load_unpaired(prefs)
    assert (len(unpaired), sorted(set(unpaired["label"]))) == (12, [False, True])
    assert list(tiebreak.load_demonstrations(prefs, limit=2)["completion"]) == ["It is 0.", "It is 1."]


def test_options_are_those_of_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text('{"q": "Why?", "good": "So.", "bad": "Eh."}\nnot json\n')
    columns = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    assert len(tiebreak.load_preferences(file, columns=columns, skip_bad_rows=True)) == 1
    with pytest.raises(InputError, match=r"odd\.jsonl"):
        tiebreak.load_preferences(file, columns=columns)


@pytest.mark.parametrize(
    ("source", "options", "told"),
    [
        ("nowhere.jsonl", {}, "no file"),
        ("bundled:preferences", {"split": "tset"}, "no split 'tset'"),
        ("bundled:preferences", {"spilt": "train"}, "no option 'spilt'"),
        ("bundled:preferences", {"schema": "alpacca"}, "alpacca"),
    ],
)
def test_what_is_wrong_is_said(source: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        tiebreak.load_preferences(source, **options)


def test_progress_is_shown_on_request_alone(prefs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiebreak.load_preferences(prefs)
    assert capfd.readouterr() == ("", "")
    tiebreak.load_preferences(prefs, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "6 pairs" in err
