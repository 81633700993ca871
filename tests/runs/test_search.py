"""How a search stands, as others read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.search import (
    SEARCH,
    SaidRecord,
    SearchRecord,
    TrialRecord,
    list_searches,
    read_search,
    runs_of,
    write_search,
)

RECORD = SearchRecord(
    over=("objective.beta",),
    goals=("eval_loss",),
    limit=3,
    trials=(
        TrialRecord(number=0, state="finished", settings={"objective.beta": "0.1"}, values=("0.61",), runs=("0000",)),
        TrialRecord(number=1, state="running", settings={"objective.beta": "0.2"}, runs=("0001",)),
        TrialRecord(number=2, state="waiting"),
    ),
    ranked=(0,),
    best=(0,),
    findings=(SaidRecord(severity="note", name="own-scales", title="ranked by a loss"),),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_search(tmp_path, RECORD)
    assert read_search(tmp_path) == RECORD
    assert RECORD.ended == 1
    with pytest.raises(FileNotFoundError):
        read_search(tmp_path / "none")


@pytest.mark.parametrize("damaged", ["{", "[]", '{"over": 3}', '{"version": 99}'])
def test_a_damaged_one_is_named(damaged: str, tmp_path: Path) -> None:
    (tmp_path / SEARCH).write_text(damaged)
    with pytest.raises(InputError, match=r"The search (is damaged|has form 99)"):
        read_search(tmp_path)


def test_searches_are_listed_once_whatever_way_leads_to_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
        write_search(tmp_path / "sweeps" / name, RECORD)
    (tmp_path / "sweeps" / "no-search").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "sweeps")
    found = list_searches([tmp_path / "sweeps", tmp_path / "link", tmp_path / "missing"])
    assert sorted(each.name for each in found) == ["one", "two"]


def test_the_runs_of_a_trial_are_those_that_were_begun(tmp_path: Path) -> None:
    RunFolder.create(Recipe(), tmp_path / "trials" / "0000")
    assert [run.path.name for run in runs_of(tmp_path, RECORD.trials[0])] == ["0000"]
    assert runs_of(tmp_path, RECORD.trials[1]) == []
