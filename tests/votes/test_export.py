"""Files of votes: whole or not at all, and no cell that a spreadsheet would run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.votes.made import answer, vote
from tiebreak.errors import InputError
from tiebreak.votes.export import check_target, csv_row, write_csv, write_lines


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_that_looks_like_a_formula_begins_with_an_apostrophe(text: str) -> None:
    cells = csv_row(vote(1, left=answer(text), reason=text))
    assert cells["left_text"] == cells["reason"] == f"'{text}"
    assert cells["right_text"] == "I do not know."


def test_the_winner_is_the_model_of_the_better_side() -> None:
    winners = [csv_row(vote(1, verdict=verdict))["winner"] for verdict in ("left", "right", "tie", "both_bad")]
    assert winners == ["base", "tuned", "", ""]


def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "votes.jsonl"
    assert write_lines([{"a": 1}, {"a": 2}], target) == 2
    before = target.read_text()

    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 3}
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_lines(rows(), target)
    assert target.read_text() == before
    assert list(tmp_path.iterdir()) == [target]


def test_the_heading_is_not_counted(tmp_path: Path) -> None:
    assert write_csv([vote(1), vote(2)], tmp_path / "votes.csv") == 2
    assert write_csv([], tmp_path / "none.csv") == 0
    assert (tmp_path / "none.csv").read_text().startswith("id,time,voter,verdict,winner,prompt,left_model")


def test_a_target_is_refused_before_any_work_is_done(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "there.csv").touch()
    for name, pairs, message in (
        ("votes.xlsx", False, "extension"),
        ("rows.csv", True, "extension"),
        ("folder.csv", False, "is a folder"),
        ("nowhere/votes.csv", False, "no folder"),
        ("there.csv", False, "exists already"),
    ):
        with pytest.raises(InputError, match=message):
            check_target(tmp_path / name, force=False, pairs=pairs)
    check_target(tmp_path / "there.csv", force=True, pairs=False)
    check_target(tmp_path / "new.jsonl", force=False, pairs=True)
