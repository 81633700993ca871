"""A function of the user's that rows go through: found, called, counted, and part of what a reading is known by."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tests.data.files import load, pairs, preferences, write
from tiebreak.errors import InputError

CODE = """
def one(row):
    return {"prompt": row["q"], "chosen": row["c"], "rejected": row["r"]}

def some(row):
    number = int(row["q"])
    if number == 0:
        return None
    return [one(row)] * number

def wrong(row):
    return "text"

def broken(row):
    return row["nowhere"]
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows, and a module of functions in the working directory."""
    (tmp_path / "my_rows.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rows", raising=False)
    return write(tmp_path / "data.jsonl", [{"q": str(i), "c": "a", "r": "b"} for i in range(3)])


def test_a_row_becomes_a_row_rows_or_none(source: Path) -> None:
    assert len(preferences(load(source, transform="my_rows:one"))) == 3
    loaded = load(source, transform="my_rows:some")
    assert [pair.prompt[0].content for pair in preferences(loaded)] == ["1", "2", "2"]
    assert loaded.report.dropped["left out by data.transform"].count == 1


def test_the_report_says_which_function_it_was(source: Path) -> None:
    loaded = load(source, transform="my_rows:one")
    digest = hashlib.sha256(Path("my_rows.py").read_bytes()).hexdigest()
    assert loaded.report.transform == {"name": "my_rows:one", "sha256": digest}
    assert loaded.fingerprint != load(source, transform="my_rows:some").fingerprint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_rows:wrong", "gives a row"),
        ("my_rows:broken", "failed on a row: KeyError"),
        ("my_rows:none", "has no function 'none'"),
        ("no_such_module:f", "cannot be imported"),
        ("my_rows", "does not name a function"),
    ],
)
def test_what_is_wrong_is_said(source: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(source, transform=name)


def test_rows_on_which_it_fails_can_be_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "picky.py").write_text("def f(row):\n    return row if row['prompt'] != 'question 1' else 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "data.jsonl", pairs(3))
    with pytest.raises(InputError, match="ZeroDivisionError") as error:
        load(path, transform="picky:f")
    assert "data.jsonl:2" in str(error.value)
    loaded = load(path, transform="picky:f", skip_bad_rows=True)
    assert (loaded.report.made, loaded.report.bad.count) == (2, 1)
