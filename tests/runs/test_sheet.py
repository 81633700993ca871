"""Runs as a spreadsheet: a row each, numbers as numbers, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.report.made import make_run, manifest_of
from tiebreak.cli.runs import app
from tiebreak.errors import InputError, RunError
from tiebreak.runs.compare import compare
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.runs.sheet import Sheet, sheet_of, write_sheet

HOSTILE = ("=HYPERLINK(1)", "+1", "-cmd", "@SUM(A1)", "  =1", "＝1", "\t=1")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def two_runs(folder: Path = Path("runs")) -> list[RunFolder]:
    other = {"eval_loss": 0.5, "eval_rewards/accuracies": 0.75, "eval_rewards/margins": -0.25}
    changed = {"model": {"adapter": "lora"}, "train": {"learning_rate": 5e-6}}
    return [
        make_run(folder / "one", manifest=manifest_of()),
        make_run(folder / "two", manifest=manifest_of(after=other, judge=None), recipe=changed),
    ]


def sheet(runs: list[RunFolder]) -> Sheet:
    return sheet_of(compare(runs), runs)


def by_column(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cells_of(path: Path) -> list[list[Any]]:
    openpyxl = pytest.importorskip("openpyxl", reason="pip install openpyxl")
    return [list(row) for row in openpyxl.load_workbook(path).active.iter_rows()]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["compare", *words])


def test_a_run_is_a_row_of_settings_figures_and_seconds() -> None:
    found = sheet(two_runs())
    assert found.headings[:2] == ("run", "status")
    settings = found.headings[2 : found.headings.index("after/eval_rewards/accuracies")]
    assert {"train.learning_rate", "model.adapter.kind"} <= set(settings)
    assert not any("/" in name or name.endswith("_seconds") for name in settings)
    assert found.headings[-8:-5] == ("judge.win_rate", "judge.win_rate (low)", "judge.win_rate (high)")
    parts = ("prepare_seconds", "reference_seconds", "samples_seconds")
    assert found.headings[-5:] == (*parts, "train_seconds", "total_seconds")
    one, two = (dict(zip(found.headings, row, strict=True)) for row in found.rows)
    assert (one["run"], two["run"]) == ("one", "two")
    assert (one["train.learning_rate"], two["train.learning_rate"]) == (1e-6, 5e-6)
    assert (one["before/eval_loss"], one["after/eval_loss"]) == (math.log(2), 0.4312)
    assert (one["before/judge.pass_rate"], one["after/judge.pass_rate"]) == (0.31, 0.884)
    assert (two["after/judge.pass_rate"], two["judge.win_rate"]) == (None, None)
    assert one["train_seconds"] == 221.5
    assert (one["reference_seconds"], one["held_out_examples"], one["best_step"]) == (14.0, 400, 280)
    assert one["after/eval_rewards/accuracies (low)"] == pytest.approx(0.7713, abs=1e-4)
    assert (one["after/judge.pass_rate (high)"], one["judge.win_rate (low)"]) == (0.912, 0.902)
    assert two["judge.win_rate (low)"] is None
    assert one["total_seconds"] == pytest.approx(3.2 + 14.0 + 221.5 + 9.1)


def test_a_figure_before_stands_beside_the_figure_after() -> None:
    headings = sheet(two_runs()).headings
    places = [headings.index(f"{side}/eval_loss") for side in ("before", "after")]
    assert places[1] == places[0] + 1


def test_the_final_training_loss_and_what_was_seen_are_columns() -> None:
    runs = two_runs()
    append_metrics(runs[0].metrics_path, {"step": 10, "loss": 0.5})
    append_metrics(runs[0].metrics_path, {"step": 12, "loss": 0.25})
    append_metrics(runs[0].metrics_path, {"step": 12, "eval_loss": 0.75})
    data = runs[1].load_manifest().data
    assert data is not None
    runs[1].update_manifest(data=data.replace(seen=40), best=None)
    found = sheet(runs)
    one, two = (dict(zip(found.headings, row, strict=True)) for row in found.rows)
    assert (one["train_loss"], two["train_loss"]) == (0.25, None)
    assert (one["seen_examples"], two["seen_examples"], two["train_examples"]) == (None, 40, 3800)
    assert two["best_step"] == 300  # none was better than the last


def test_markdown_holds_the_same_and_no_markup() -> None:
    two_runs()
    assert call("one", "two", "--out", "results.md").exit_code == 0
    head, rule, one, _ = Path("results.md").read_text().splitlines()
    cells = dict(zip(*([cell.strip() for cell in line.strip("|").split("|")] for line in (head, one)), strict=True))
    assert set(rule) == set("|-: ")
    assert (cells["run"], cells["after/eval\\_loss"], cells["train\\_seconds"]) == ("one", "0.4312", "221.5")
    write_sheet(Sheet(("a|b",), (("<b>x</b>|",),)), Path("strange.md"))
    assert Path("strange.md").read_text().splitlines()[2] == "| \\<b\\>x\\</b\\>\\| |"


def test_runs_of_one_name_go_by_their_folders() -> None:
    runs = [make_run(Path(place) / "mine", manifest=manifest_of()) for place in ("a", "b")]
    assert [row[0] for row in sheet(runs).rows] == ["a/mine", "b/mine"]


def test_an_unfinished_run_has_empty_cells() -> None:
    runs = [*two_runs(), make_run(Path("runs/three"))]
    found = sheet(runs)
    row = dict(zip(found.headings, found.rows[2], strict=True))
    assert (row["status"], row["after/eval_loss"], row["train_seconds"]) == ("not begun", None, None)


def test_csv_holds_the_same_numbers() -> None:
    two_runs()
    result = call("one", "two", "--out", "results.csv")
    assert result.exit_code == 0, result.stderr
    assert "Written to results.csv" in result.stderr
    one, two = by_column(Path("results.csv"))
    assert float(two["train.learning_rate"]) == 5e-6
    assert float(one["before/eval_loss"]) == math.log(2)
    assert float(two["after/eval_rewards/margins"]) == -0.25  # a negative number is no formula
    assert two["judge.win_rate"] == ""


def test_a_workbook_holds_numbers_and_text() -> None:
    two_runs()
    result = call("one", "two", "--out", "results.xlsx", "--json")
    assert result.exit_code == 0, result.stderr
    headings, one, two = cells_of(Path("results.xlsx"))
    place = [cell.value for cell in headings].index("after/eval_rewards/margins")
    assert (one[place].value, two[place].value) == (1.382, -0.25)
    assert (two[place].data_type, one[0].data_type, one[0].value) == ("n", "s", "one")
    assert headings[0].font.bold


def test_no_cell_is_run_as_a_formula() -> None:
    hostile = Sheet(("name", *HOSTILE), (("mine", *HOSTILE),))
    write_sheet(hostile, Path("a.csv"))
    write_sheet(hostile, Path("a.xlsx"))
    with Path("a.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            assert all(cell.startswith("'") for cell in row[1:]), row
    for first, *others in cells_of(Path("a.xlsx")):
        assert all((cell.data_type, cell.quotePrefix) == ("s", True) for cell in others)
        assert [cell.value for cell in others[:4]] == list(HOSTILE[:4])  # shown as it is
        assert not first.quotePrefix


def test_control_characters_do_not_reach_a_cell() -> None:
    strange = Sheet(("name",), (("a\x00b\x1b]0;c\ud800",),))
    for name in ("a.csv", "a.xlsx"):
        write_sheet(strange, Path(name))
    assert by_column(Path("a.csv"))[0]["name"] == "a b ]0;c "
    assert cells_of(Path("a.xlsx"))[1][0].value == "a b ]0;c "


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read() -> None:
    two_runs()
    Path("there.csv").write_text("mine")
    Path("folder.csv").mkdir()
    for words, said in (
        (["--out", "results.ods"], ".csv, .xlsx, .md, .jsonl or .parquet"),
        (["--out", "there.csv"], "--force"),
        (["--out", "folder.csv"], "is a folder"),
        (["--out", "nowhere/results.csv"], "no folder 'nowhere'"),
    ):
        error = call("no-such-run", "two", *words).exception
        assert isinstance(error, InputError)
        assert said in str(error)
    assert Path("there.csv").read_text() == "mine"
    assert call("one", "two", "--out", "there.csv", "--force").exit_code == 0
    assert by_column(Path("there.csv"))[0]["run"] == "one"


def test_a_sheet_is_written_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="pip install openpyxl")
    Path("results.xlsx").write_text("older")

    def full(_: object, name: Path) -> None:
        name.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openpyxl.Workbook, "save", full)
    with pytest.raises(RunError, match="No space left"):
        write_sheet(Sheet(("name",), (("one",),)), Path("results.xlsx"), force=True)
    assert Path("results.xlsx").read_text() == "older"
    assert [path.name for path in Path().iterdir()] == ["results.xlsx"]


def test_the_missing_package_is_one_sentence_and_csv_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    two_runs()
    monkeypatch.setattr("tiebreak.runs.sheet.find_spec", lambda name: None)
    error = call("one", "two", "--out", "results.xlsx").exception
    assert isinstance(error, InputError)
    assert 'pip install "tiebreak[sheet]"' in str(error)
    assert call("one", "two", "--out", "results.csv").exit_code == 0
