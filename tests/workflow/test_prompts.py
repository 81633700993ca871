"""Prompts of text files, of rows that have nothing else, and of any data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.workflow.prompts import read_prompts


def rows(folder: Path, *values: Any) -> str:
    """A file of such rows."""
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in values))
    return str(path)


def test_a_text_file_has_a_prompt_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffWhy?\r\n\r\n  How: a, b?  \nWhy?\n".encode())
    found = read_prompts(str(path))
    assert [[(turn.role, turn.content) for turn in each.turns] for each in found] == [
        [("user", "Why?")],
        [("user", "How: a, b?")],
    ]
    assert len(read_prompts(str(path), most=1)) == 1


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"prompt": "Why?"}, ["Why?"]),
        ({"question": "Why?", "id": 3}, ["Why?"]),
        ({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}, ["s", "u"]),
        ({"messages": [{"role": "user", "content": "u"}]}, ["u"]),
        ({"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}, ["u"]),
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, ["Why?"]),
        ({"prompt": "Why?", "completion": "So."}, ["Why?"]),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}, ["a"]),
    ],
)
def test_rows_of_every_kind_have_prompts(row: dict[str, Any], turns: list[str], tmp_path: Path) -> None:
    (found,) = read_prompts(rows(tmp_path, row, row))
    assert [turn.content for turn in found.turns] == turns


def test_what_is_no_prompt_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(InputError, match="no prompts to answer"):
        read_prompts(str(tmp_path / "empty.txt"))
    with pytest.raises(InputError, match="There is no file"):
        read_prompts(str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="cannot be read"):
        read_prompts(str(tmp_path / "latin.txt"))
    with pytest.raises(InputError, match="'prompt'") as caught:
        read_prompts(rows(tmp_path, {"prompt": "Why?"}, {"prompt": 3}))
    assert "rows.jsonl" in str(caught.value)
    with pytest.raises(InputError):
        read_prompts(rows(tmp_path, {"colour": "red"}))


def test_no_more_rows_are_read_than_prompts_are_wanted_and_bad_ones_are_skipped_where_asked(tmp_path: Path) -> None:
    good, bad = {"prompt": "Why?"}, {"prompt": 3}
    assert len(read_prompts(rows(tmp_path, good, bad), most=1)) == 1
    found = read_prompts(rows(tmp_path, good, bad, {"prompt": "How?"}), skip_bad_rows=True)
    assert [each.turns[0].content for each in found] == ["Why?", "How?"]
