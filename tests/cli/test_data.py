from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.data.files import completions, load, pairs, preferences, unpaired, write
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
        "form text",
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
    found = json.loads(result.stdout)
    assert (found["schema"], found["pairs"], found["unit"]) == ("text", 5, "characters")


def test_inspect_takes_what_a_run_would_take(tmp_path: Path, shared_data: Path) -> None:
    from transformers import GPT2Tokenizer

    said = [{"role": role, "content": "one two three"} for role in ("assistant", "user", "assistant")]
    data = write(tmp_path / "data.jsonl", [{"prompt": "p", "chosen": said, "rejected": "no<|endoftext|>"}])
    words = shared_data / "gpt2-tokenizer"
    GPT2Tokenizer(str(words / "vocab.json"), str(words / "merges.txt")).save_pretrained(tmp_path / "model")
    shared = ("inspect", data, "--model", tmp_path / "model", "--json")
    plain = json.loads(_run(*shared).stdout)
    other = json.loads(_run(*shared, "--score-turns", "last", "--special-tokens", "parse").stdout)
    assert 0 < other["scored"] < plain["scored"] < 1
    assert any("parsed as a control token" in note for note in other["notes"])
    assert _run(*shared, "--score-turns", "some").exit_code == 2


def test_inspect_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    result = _run("inspect", write(tmp_path / "data.jsonl", pairs(5)), "--html", page)
    assert page.read_text().startswith("<!doctype html>")
    assert str(page) in result.stderr
    assert "cannot be written" in _refused("inspect", tmp_path / "data.jsonl", "--html", tmp_path / "no" / "x.html")


def test_inspect_looks_for_common_prompts(tmp_path: Path) -> None:
    train = write(tmp_path / "one.jsonl", pairs(5))
    other = write(tmp_path / "other.jsonl", pairs(2))
    found = json.loads(_run("inspect", train, "--eval-source", other, "--json").stdout)
    assert found["held_out"]["common_prompts"] == 2


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


def test_convert_does_not_overwrite_unless_it_is_forced_to(tmp_path: Path) -> None:
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


def test_convert_says_what_was_dropped(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "answer_a": "x", "answer_b": "y", "choice": "a"},
        {"prompt": "b", "answer_a": "x", "answer_b": "y", "choice": "tie"},
        {"prompt": "c", "answer_a": "", "answer_b": "y", "choice": "b"},
    ]
    source = write(tmp_path / "data.jsonl", rows)
    assert "data.jsonl:3" in _refused("convert", source, tmp_path / "out.jsonl")
    result = _run("convert", source, tmp_path / "out.jsonl", "--skip-bad-rows")
    assert "dropped 1: a tie" in result.stderr
    assert "skipped 1 bad rows" in result.stderr
    assert "data.jsonl:3" in result.stderr
    found = json.loads(_run("convert", source, tmp_path / "o.jsonl", "--skip-bad-rows", "--json").stdout)
    assert (found["pairs"], found["dropped"]["a tie"]["count"], found["bad"]["count"]) == (1, 1, 1)


def _written(path: Path) -> Path:
    rows = [{"prompt": f"question {i}", "completion": f"answer {i}", "label": i % 3 > 0} for i in range(9)]
    return write(path, [*rows, {**rows[0], "label": True}, {**rows[0], "label": None}])


def test_inspect_counts_good_and_bad_completions_and_names_what_is_dropped(tmp_path: Path) -> None:
    path = _written(tmp_path / "data.jsonl")
    shown = _run("inspect", path, "--html", tmp_path / "page.html").stdout
    for part in ("form unpaired-completion", "unpaired completions", "good", "bad", "dropped: no label", "answer"):
        assert part in shown
    page = (tmp_path / "page.html").read_text()
    assert "Good completion" in page
    assert "Chosen" not in page
    found = json.loads(_run("inspect", path, "--json").stdout)
    assert (found["kind"], found["labels"], found["contradicting"]) == ("unpaired", {"good": 7, "bad": 3}, 2)
    assert sorted(found["lengths"]) == ["bad", "good", "prompt", "whole"]
    assert found["longer_is_chosen"] is None
    assert all({"good", "bad"} & set(sample) for sample in found["samples"])


def test_completions_of_one_label_alone_are_inspected(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"prompt": "p", "completion": "x", "label": False}])
    found = json.loads(_run("inspect", path, "--json").stdout)
    assert found["labels"] == {"good": 0, "bad": 1}
    assert sorted(found["lengths"]) == ["bad", "prompt", "whole"]


def test_convert_writes_unpaired_completions_that_read_back_as_the_same(tmp_path: Path) -> None:
    path = _written(tmp_path / "data.csv")
    for name in ("out.jsonl.gz", "out.parquet"):
        assert "wrote 10 unpaired completions" in _run("convert", path, tmp_path / name).stdout
        assert completions(unpaired(tmp_path / name)) == completions(unpaired(path))


@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_help_has_an_example(command: str) -> None:
    assert f"tiebreak data {command}" in " ".join(_run(command, "--help").stdout.split())


def test_the_commands_load_nothing_heavy_until_they_run() -> None:
    heavy = ("torch", "datasets", "transformers", "numpy", "pyarrow")
    script = f"import sys, tiebreak.cli.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
