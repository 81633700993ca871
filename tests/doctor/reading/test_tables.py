"""Logs in tables: CSV, Excel, pages, and exports of Weights & Biases."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.made import TABLES, as_html, as_markdown
from tiebreak.doctor.log import TrainingLog
from tiebreak.doctor.reading.logs import read_log
from tiebreak.errors import InputError


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reading(text: str, name: str = "table.csv") -> TrainingLog:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_log(path)

    return reading


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_cells_are_parted_by_what_the_header_has(between: str, read: Any) -> None:
    text = "\n".join(between.join(row) for row in (("Step", "Validation Loss"), ("500", "1.5"), ("1000", "1.8")))
    log = read(text + "\n", "table.tsv")
    assert log.curve("eval_loss").values == (1.5, 1.8)


def test_an_export_of_one_metric(read: Any) -> None:
    log = read(
        '"Step","brisk-sun-12 - train/loss","brisk-sun-12 - train/loss__MIN","brisk-sun-12 - train/loss__MAX"\n'
        '"10","0.69","0.69","0.69"\n"20","0.6","0.5","0.7"\n'
    )
    assert (log.kind, log.curve("loss").values, log.unread) == ("export of Weights & Biases", (0.69, 0.6), ())


def test_an_export_of_several_metrics_with_gaps(read: Any) -> None:
    log = read(
        "train/global_step,my - run - train/loss,my - run - eval/loss,my - run - eval/rewards/accuracies\n"
        "10,0.69,,\n20,0.6,0.62,0.55\n30,NaN,,\n"
    )
    assert log.curve("eval_rewards/accuracies").values == (0.55,)
    assert len(log.curves["loss"]) == 3


def test_an_export_of_several_runs_names_them(read: Any) -> None:
    with pytest.raises(InputError, match="of 2 runs: a, b"):
        read("Step,a - train/loss,b - train/loss\n1,0.6,0.7\n")


def test_plain_columns_of_the_history_of_weights_and_biases(read: Any) -> None:
    log = read("_step,_runtime,train/loss,eval/loss\n1,0.1,0.69,\n2,0.2,0.6,0.61\n")
    assert (log.kind, log.curve("loss").at, log.unread) == ("table", (1, 2), ())


def test_an_excel_sheet_whatever_it_is_called(tmp_path: Path) -> None:
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook()
    for row in (("Step", "Training Loss", "Validation Loss"), (500, "No log", 1.5), (1000, 0.1, 1.8)):
        book.active.append(row)
    path = tmp_path / "results.log"
    book.save(path)
    log = read_log(path)
    assert (log.kind, log.curve("loss").values, log.curve("eval_loss").values) == ("Excel sheet", (0.1,), (1.5, 1.8))


def test_a_sheet_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04 and so on")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "openpyxl":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="openpyxl") as raised:
        read_log(tmp_path / "table.xlsx")
    assert "tiebreak[sheet]" in str(raised.value.fix)


def test_a_damaged_sheet_is_no_sheet(tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match="no Excel sheet"):
        read_log(tmp_path / "table.xlsx")


def test_a_wide_table_that_is_shown_in_parts_is_one(read: Any) -> None:
    log = read(
        "| step | training loss | validation loss |\n|---|---|---|\n| 5 | 0.6 | 0.5 |\n| 10 | 0.5 | 0.4 |\n\n"
        "| step | rewards/chosen | rewards/margins |\n|---|---|---|\n| 5 | 0.1 | 0.2 |\n| 10 | 0.2 | 0.3 |\n",
        "report.md",
    )
    assert {"loss", "eval_loss", "rewards/margins"} <= set(log.curves)


def test_two_tables_of_two_runs_are_refused_and_other_tables_passed_over(read: Any) -> None:
    one, other = as_markdown(TABLES["hot"]), as_markdown(TABLES["sixteen tokens"])
    with pytest.raises(InputError, match="tables of lines 5 and 15 are of more than one run"):
        read(one + other, "README.md")
    settings = "| setting | value |\n|---|---|\n| batch | 4 |\n\n"
    assert read(settings + one, "README.md").last == 1000


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("Step,Loss\n", "table.csv", "no rows"),
        ("a,b\n1,2\n", "table.csv", "no metric of a training.*Its columns are: a, b"),
        ("Step,Loss\n1,2,3\n", "table.csv", "header has 2 columns, this row has 3"),
        ("Step,Loss,Loss\n1,2,3\n", "table.csv", "the same name"),
        ("# Title\n\nNothing here.\n", "README.md", "There is no table"),
        ("<table><tr><th>a</th></tr><tr><td>1</td></tr></table>", "a.html", "has metrics of a training"),
        ("<html><body>Nothing</body></html>", "a.html", "There is no table"),
    ],
)
def test_what_is_no_log_is_refused(text: str, name: str, says: str, read: Any) -> None:
    with pytest.raises(InputError, match=says):
        read(text, name)


def test_a_page_is_known_by_its_content(read: Any) -> None:
    for name in ("page.txt", "page"):
        assert read(as_html(TABLES["hot"]), name).kind == "table in HTML"
        assert read(as_markdown(TABLES["hot"]), name).kind == "table in Markdown"
