"""Files of prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.serve.prompts import read_prompts


def _read(tmp_path: Path, name: str, text: str) -> list[list[tuple[str, str]]]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return [list(turns) for turns in read_prompts(tmp_path / name)]


def test_a_text_file_has_a_prompt_on_each_line_and_each_counts_once(tmp_path: Path) -> None:
    found = _read(tmp_path, "p.txt", "\ufeffFirst?\r\n\n  Second é? \nFirst?\n")
    assert found == [[("user", "First?")], [("user", "Second é?")]]


def test_json_lines_have_texts_messages_or_objects(tmp_path: Path) -> None:
    turns = (
        '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]'
    )
    found = _read(tmp_path, "p.jsonl", f'"One?"\n{{"prompt": "Two?", "id": 3}}\n{turns}\n{{"messages": {turns}}}\n')
    assert found == [[("user", "One?")], [("user", "Two?")], [("user", "a"), ("assistant", "b"), ("user", "c")]]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("p.txt", "\n \n", "--prompts"),
        ("p.jsonl", '{"prompt": "x"}\n{"answer": "y"}\n', "p.jsonl:2"),
        ("p.jsonl", '{"prompt": \n', "p.jsonl:1"),
        ("p.jsonl", '[{"role": "assistant", "content": "last"}]\n', "p.jsonl:1"),
        ("p.jsonl", "7\n", "p.jsonl:1"),
    ],
)
def test_what_holds_no_prompt_is_refused_with_its_place(name: str, text: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        _read(tmp_path, name, text)
    assert where in str(refused.value.where)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("typo.txt", "binary.txt"):
        with pytest.raises(InputError, match="cannot be read"):
            read_prompts(tmp_path / name)
