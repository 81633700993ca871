"""The tables of a search: a row a trial, numbers as numbers, and what was ended early with its figures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.sweep.made import MadeUp, begun, searched
from tests.sweep.test_drive import by_rate
from tiebreak.sweep import trial as module
from tiebreak.sweep.drive import work
from tiebreak.sweep.results import best_sheet, settings_sheet, trials_sheet, write_tables
from tiebreak.workflow.progress import Progress


def test_the_tables_of_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "train_among", MadeUp(by_rate))
    over = {"train.learning_rate": [2e-6, 9e-6], "train.adam_betas": [[0.9, 0.99]]}
    plan, folder = begun(tmp_path, searched(over, seeds=2, prune="median", prune_after=1))
    trials = work(plan, folder, Progress(), write_tables)
    sheet = trials_sheet(plan, folder, trials)
    first, second = (dict(zip(sheet.headings, row, strict=True)) for row in sheet.rows)
    assert (first["state"], first["best"], first["train.learning_rate"]) == ("finished", True, 2e-6)
    assert first["train.adam_betas"] == "[0.9, 0.99]"
    assert first["eval_loss"] == pytest.approx(0.5005)
    assert first["eval_loss (spread)"] == pytest.approx(0.001 / 2**0.5)
    assert first["eval_rewards/accuracies"] == pytest.approx(1 - 0.5005 / 2)
    assert first["train_seconds"] == 1.0
    assert second["state"] == "pruned"
    assert second["eval_loss"] == pytest.approx(1.5)
    assert "behind" in str(second["reason"])
    assert second["eval_loss (spread)"] is None

    with folder.csv_path.open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["finished", "pruned"]
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(folder.workbook_path)
    assert book.sheetnames == ["trials", "settings", "best recipe"]
    cells = {cell.value: book["trials"].cell(2, cell.column).value for cell in book["trials"][1]}
    assert cells["train.learning_rate"] == 2e-6
    assert isinstance(cells["eval_loss"], float)
    settings = {row[0]: row[1:] for row in book["settings"].iter_rows(values_only=True)}
    assert settings["train.learning_rate"] == ("2e-06, 9e-06", 2e-6)
    assert settings["sweep.search"] == ("grid", None)
    best = {row[0]: row[1] for row in book["best recipe"].iter_rows(values_only=True)}
    assert (best["train.learning_rate"], best["model.name"], best["train.seed"]) == (2e-6, "bundled:base", 0)


def test_a_search_without_a_result_has_tables_too(tmp_path: Path) -> None:
    plan, folder = begun(tmp_path, searched({"train.seed": [1, 2]}))
    assert trials_sheet(plan, folder, ()).rows == ()
    assert best_sheet(plan, ()).rows == ()
    assert settings_sheet(plan, ()).rows[0] == ("train.seed", "1, 2", None)
