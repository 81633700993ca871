"""Runs beside each other on one safe page, for two as for many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tiebreak
from tests.report.made import make_run, manifest_of, metric_rows
from tests.report.test_page import ATTRIBUTES, ELEMENTS, HOSTILE, Page
from tiebreak.errors import InputError, RunError
from tiebreak.report.beside import compare_runs
from tiebreak.runs.folder import RunFolder


def two_runs(folder: Path) -> list[RunFolder]:
    after = {"eval_loss": 0.3, "eval_rewards/accuracies": 0.85, "eval_logps/accuracies": 0.7425}
    return [
        make_run(folder / "one", manifest=manifest_of(), rows=metric_rows()),
        make_run(
            folder / "two",
            manifest=manifest_of(after=after),
            rows=metric_rows(100),
            recipe={"train": {"learning_rate": 5e-6}},
        ),
    ]


def page_of(runs: list[RunFolder], out: Path) -> Page:
    compare_runs([run.path for run in runs], out=out)
    return Page(out.read_text(encoding="utf-8"))


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of all tables by their first cell, without markup."""
    found = {}
    for row in re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", text, re.DOTALL):
        head, _, rest = row.partition("</th>")
        cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", rest, re.DOTALL)]
        found[re.sub(r"<small>.*?</small>|<[^>]+>", "", head)] = cells
    return found


def test_only_what_differs_is_shown_with_its_interval(tmp_path: Path) -> None:
    out = tmp_path / "compare.html"
    comparison = compare_runs([run.path for run in two_runs(tmp_path)], out=out)
    text = out.read_text(encoding="utf-8")
    rows = rows_of(text)
    assert rows["train.learning_rate"] == ["1e-06", "5e-06"]
    assert "train.batch_size" not in rows
    assert rows["held-out accuracy"] == ["81.2% (77.1–84.8%)", "85.0% (81.2–88.2%)"]
    assert rows["held-out loss"] == ["0.4312", "0.3000"]
    assert rows["held-out margin"] == ["+1.38", "–"]
    assert "judge's pass rate" not in rows
    same = "chosen answer is the likelier one, judge's pass rate, win rate against the model before, train_seconds"
    assert f"The same in all: {same}." in text.replace("&#39;", "'")
    assert '<td class="better">85.0% (81.2–88.2%)</td>' in text
    assert comparison.names == ("one", "two")


def test_the_page_has_each_run_with_its_number_and_a_plot_a_metric(tmp_path: Path) -> None:
    page = page_of(two_runs(tmp_path), tmp_path / "compare.html")
    hovers = [value for name, value in page.attributes if name == "data-hover"]
    assert len(hovers) == 10
    assert all('"name":"1 one"' in str(hover) and '"name":"2 two"' in str(hover) for hover in hovers)
    assert page.elements["script"] == 1
    assert "2 runs beside each other" in page.words


def test_names_and_settings_from_outside_are_text(tmp_path: Path) -> None:
    def made(folder: Path, words: str) -> list[RunFolder]:
        changed: list[dict[str, Any]] = [
            {"model": words.replace("\ud800", ""), "data": "x"},
            {"model": "y", "data": "x"},
        ]
        manifest = manifest_of(model={"name": words}, data={"source": words, "held_out": 400})
        return [
            make_run(folder / f"{i}{words[:60]}".replace("/", "_").replace("\0", "_"), manifest=manifest, recipe=recipe,
                     rows=metric_rows(100))
            for i, recipe in enumerate(changed)
        ]  # fmt: skip

    hostile = page_of(made(tmp_path, HOSTILE), tmp_path / "hostile.html")
    tame = page_of(made(tmp_path, "tame"), tmp_path / "tame.html")
    assert set(hostile.elements) <= {*ELEMENTS, "i", "ul", "li"}
    assert {name for name, _ in hostile.attributes} <= ATTRIBUTES
    assert hostile.elements == tame.elements
    assert "<script>alert(1)<_script>" in hostile.words
    assert hostile.comments == []


def test_more_runs_than_colours_have_curves_of_the_first_and_a_sentence(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / f"run-{i}", manifest=manifest_of(), rows=metric_rows(50), recipe={"train": {"seed": i}})
        for i in range(10)
    ]
    page = page_of(runs, tmp_path / "compare.html")
    assert "The curves show the first 8 of 10 runs" in page.words
    assert "run-9" in page.words
    hovers = [str(value) for name, value in page.attributes if name == "data-hover"]
    assert all('"8 run-7"' in hover and '"9 run-8"' not in hover for hover in hovers)


def test_runs_of_which_parts_are_missing_are_still_compared(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a", model=False), make_run(tmp_path / "b", model=False)]
    page = page_of(runs, tmp_path / "compare.html")
    assert "None: the recipes are the same." in page.words
    assert "No step was logged yet." in page.words


def test_runs_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / side / "run", manifest=manifest_of()) for side in ("a", "b")]
    assert compare_runs([run.path for run in runs]).names == tuple(str(run.path) for run in runs)


def test_a_table_is_written_where_the_file_is_one(tmp_path: Path) -> None:
    runs = [run.path for run in two_runs(tmp_path)]
    compare_runs(runs, out=tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_text().startswith("run,status,train.learning_rate,")


@pytest.mark.parametrize(
    ("name", "said"),
    [("compare.txt", "neither a page nor a table"), ("folder.html", "is a folder"), ("no/compare.html", "no folder"),
     ("there.html", "exists")],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_refused_first(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "there.html").write_text("mine")
    with pytest.raises(InputError, match=said):
        compare_runs(["no such run", "another"], out=tmp_path / name)
    assert (tmp_path / "there.html").read_text() == "mine"


def test_a_file_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("mine")
    compare_runs([run.path for run in two_runs(tmp_path)], out=tmp_path / "there.html", force=True)
    assert "runs beside each other" in (tmp_path / "there.html").read_text()


def test_a_disk_that_does_not_take_it_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tiebreak.report.page_file.write_text", full)
    with pytest.raises(RunError, match="No space left") as caught:
        compare_runs([run.path for run in two_runs(tmp_path)], out=tmp_path / "compare.html")
    assert caught.value.where == str(tmp_path / "compare.html")


def test_an_opened_run_is_taken_for_its_folder(tmp_path: Path) -> None:
    runs = [tiebreak.open_run(run.path) for run in two_runs(tmp_path)]
    assert tiebreak.compare_runs(runs).names == ("one", "two")
