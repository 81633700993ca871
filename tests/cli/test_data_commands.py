from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.data.files import load, pairs, preferences, write
from tiebreak.cli.data import app
from tiebreak.errors import InputError


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _refused(*arguments: object) -> str:
    result = _run(*arguments)
    assert isinstance(result.exception, InputError)
    assert result.stdout == ""
    return str(result.exception)


def test_inspect_shows_format_counts_lengths_and_samples(tmp_path: Path) -> None:
    result = _run("inspect", write(tmp_path / "data.jsonl", pairs(20)))
    assert result.exit_code == 0
    for part in (
        "format text",
        "pairs",
        "20",
        "contradicting",
        "characters",
        "--model",
        "a good answer to",
        "rejected",
    ):
        assert part in result.stdout


def test_inspect_with_json_prints_json_alone(tmp_path: Path) -> None:
    result = _run("inspect", write(tmp_path / "data.jsonl", pairs(20)), "--json", "--limit", 5)
    told = json.loads(result.stdout)
    assert (told["schema"], told["pairs"], told["unit"]) == ("text", 5, "characters")


def test_inspect_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    result = _run("inspect", write(tmp_path / "data.jsonl", pairs(5)), "--html", page)
    assert page.read_text().startswith("<!doctype html>")
    assert str(page) in result.stderr
    assert "cannot be written" in _refused("inspect", tmp_path / "data.jsonl", "--html", tmp_path / "no" / "x.html")


def test_inspect_looks_for_common_prompts(tmp_path: Path) -> None:
    train = write(tmp_path / "one.jsonl", pairs(5))
    other = write(tmp_path / "other.jsonl", pairs(2))
    told = json.loads(_run("inspect", train, "--eval-source", other, "--json").stdout)
    assert told["held_out"]["common_prompts"] == 2


def test_terminal_controls_in_the_data_do_not_reach_the_terminal(tmp_path: Path) -> None:
    rows = [{"prompt": "[bold]p[/bold]", "chosen": "\x1b]0;title\x07yes", "rejected": "no"}]
    result = _run("inspect", write(tmp_path / "data.jsonl", rows))
    assert "\x1b]" not in result.stdout
    assert "\x07" not in result.stdout
    assert "[bold]p[/bold]" in result.stdout


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"])
def test_what_convert_writes_reads_back_as_the_same(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "data.csv", pairs(30))
    result = _run("convert", source, tmp_path / name)
    assert result.exit_code == 0
    assert "wrote 30 pairs" in result.stdout
    again = load(tmp_path / name)
    assert again.recognition.schema == "tiebreak"
    assert preferences(again) == preferences(load(source))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_convert_does_not_overwrite_unless_it_is_told_to(tmp_path: Path) -> None:
    source = write(tmp_path / "data.jsonl", pairs(3))
    target = tmp_path / "out.jsonl"
    target.write_text("mine")
    assert "exists already" in _refused("convert", source, target)
    assert target.read_text() == "mine"
    assert _run("convert", source, target, "--force").exit_code == 0
    assert load(target).report.pairs == 3


@pytest.mark.parametrize("name", ["out.txt", "no/folder.jsonl", "."])
def test_convert_refuses_a_target_before_it_reads(tmp_path: Path, name: str) -> None:
    assert _refused("convert", tmp_path / "nothing.jsonl", tmp_path / name).count("what to do") == 1


def test_convert_tells_what_was_left_out(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "answer_a": "x", "answer_b": "y", "choice": "a"},
        {"prompt": "b", "answer_a": "x", "answer_b": "y", "choice": "tie"},
        {"prompt": "c", "answer_a": "", "answer_b": "y", "choice": "b"},
    ]
    source = write(tmp_path / "data.jsonl", rows)
    assert "data.jsonl:3" in _refused("convert", source, tmp_path / "out.jsonl")
    result = _run("convert", source, tmp_path / "out.jsonl", "--skip-bad-rows")
    assert "left out 1: a tie" in result.stderr
    assert "skipped 1 bad rows" in result.stderr
    assert "data.jsonl:3" in result.stderr
    told = json.loads(_run("convert", source, tmp_path / "o.jsonl", "--skip-bad-rows", "--json").stdout)
    assert (told["pairs"], told["left_out"]["a tie"]["count"], told["bad"]["count"]) == (1, 1, 1)


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_help_has_an_example(command: str) -> None:
    assert f"tiebreak data {command}" in " ".join(_run(command, "--help").stdout.split())


def test_the_commands_load_nothing_heavy_until_they_run() -> None:
    heavy = ("torch", "datasets", "transformers", "numpy", "pyarrow")
    script = f"import sys, tiebreak.cli.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
