"""Configurations that the card of a local folder names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.files import pairs, write
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

CARD = """---
license: mit
configs:
- config_name: easy
  data_files:
  - split: train
    path: easy/a-*.jsonl
  - split: test
    path: [easy/b.jsonl]
- config_name: hard
  data_files: "hard/*.jsonl"
---
# A data set
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two configurations."""
    write(tmp_path / "easy" / "a-1.jsonl", pairs(2))
    write(tmp_path / "easy" / "a-2.jsonl", pairs(3, "other"))
    write(tmp_path / "easy" / "b.jsonl", pairs(4))
    write(tmp_path / "hard" / "rows.jsonl", pairs(6))
    (tmp_path / "README.md").write_text(CARD)
    return tmp_path


def _count(folder: Path, config: str | None = None, split: str | None = None) -> int:
    return load_preferences(SourceSpec(str(folder), config, split=split)).report.made


def test_a_configuration_has_its_files_and_splits(folder: Path) -> None:
    assert (_count(folder, "easy"), _count(folder, "easy", "test"), _count(folder, "hard")) == (5, 4, 6)
    assert load_preferences(SourceSpec(str(folder), "easy")).report.splits == ("train", "test")


@pytest.mark.parametrize(
    ("config", "split", "said"),
    [(None, None, "easy, hard"), ("esay", None, "did you mean 'easy'"), ("easy", "dev", "train, test")],
)
def test_what_is_not_there_is_said(folder: Path, config: str | None, split: str | None, said: str) -> None:
    with pytest.raises(InputError) as error:
        _count(folder, config, split)
    assert said in str(error.value)


def test_the_default_configuration_needs_no_name(folder: Path) -> None:
    (folder / "README.md").write_text(CARD.replace("name: hard", "name: hard\n  default: true"))
    assert _count(folder) == 6


def test_a_card_of_no_configurations_changes_nothing(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    with pytest.raises(InputError, match="no configurations"):
        _count(folder, "easy")
    assert _count(folder / "hard") == 6
