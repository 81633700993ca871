"""One pass over a source: a bad row stops it or is skipped, a sound one that makes no pair is dropped by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.files import load, pairs, write
from tiebreak.errors import InputError

GOOD = json.dumps(pairs(1)[0])


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as error:
        load(path, **settings)
    assert error.value.exit_code == 2
    return str(error.value)


def _with_line(tmp_path: Path, line: str | bytes) -> Path:
    path = tmp_path / "data.jsonl"
    data = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(GOOD.encode() + b"\n" + data + b"\n" + GOOD.replace("0", "1").encode() + b"\n")
    return path


BAD_LINES: dict[str, tuple[str | bytes, list[str]]] = {
    "cut off": ('{"prompt": "a", "chosen": ', ["not JSON", "data.jsonl:2"]),
    "not an object": ("[1, 2]", ["an object", "a list of 2"]),
    "a raw control character": ('{"prompt": "a\x00b", "chosen": "c", "rejected": "d"}', ["not JSON"]),
    "not UTF-8": (b'{"prompt": "caf\xe9", "chosen": "c", "rejected": "d"}', ["not UTF-8", "0xe9"]),
    "half a character": (r'{"prompt": "\ud83d", "chosen": "c", "rejected": "d"}', ["half a character"]),
    "nested too deeply": ('{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}", ["nested too deeply"]),
    "a number too long": ('{"prompt": ' + "9" * 5_000 + "}", ["cannot be read"]),
    "an empty completion": ('{"prompt": "a", "chosen": "", "rejected": "d"}', ["'chosen'", "an answer", "nothing"]),
    "a blank completion": ('{"prompt": "a", "chosen": "c", "rejected": " \\n "}', ["'rejected'", "only white space"]),
    "an empty prompt": ('{"prompt": "", "chosen": "c", "rejected": "d"}', ["'prompt'"]),
    "a null": ('{"prompt": "a", "chosen": null, "rejected": "d"}', ["'chosen'", "found null"]),
    "a missing column": ('{"prompt": "a", "chosen": "c"}', ["'rejected'", "no such column", "prompt, chosen"]),
    "a number for text": ('{"prompt": "a", "chosen": 3, "rejected": "d"}', ["'chosen'", "the number 3"]),
    "NaN for text": ('{"prompt": "a", "chosen": NaN, "rejected": "d"}', ["'chosen'", "the number nan"]),
    "a list for text": ('{"prompt": "a", "chosen": ["c"], "rejected": "d"}', ["'chosen'", "a list of 1"]),
    "another format": (
        '{"instruction": "a", "input": "", "chosen": "c", "rejected": "d"}',
        ["mixes forms", "'text'", "'alpaca'"],
    ),
    "a negative weight": ('{"prompt": "a", "chosen": "c", "rejected": "d", "weight": -1}', ["'weight'"]),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_row_is_named_and_with_skip_it_is_dropped(tmp_path: Path, kind: str) -> None:
    line, expected = BAD_LINES[kind]
    path = _with_line(tmp_path, line)
    said = _refused(path)
    for part in (*expected, "data.jsonl:2"):
        assert part in said
    assert len(said) < 1000
    loaded = load(path, skip_bad_rows=True)
    assert loaded.report.pairs == 2
    assert loaded.report.bad.count == 1
    assert "data.jsonl:2" in loaded.report.bad.examples[0]


@pytest.mark.parametrize("row", [{"prompt": "a", "chosen": 5, "rejected": "b"}, {"prompt": "a", "chosen": "c"}])
def test_a_source_of_bad_rows_alone_names_the_first(tmp_path: Path, row: dict[str, object]) -> None:
    said = _refused(write(tmp_path / "data.jsonl", [row]))
    assert "data.jsonl:1" in said
    assert "column '" in said
    assert "No row of the source could be used" in _refused(tmp_path / "data.jsonl", skip_bad_rows=True)


def test_a_source_of_nothing_but_ties_says_so(tmp_path: Path) -> None:
    row = {"prompt": "a", "response_0": "b", "response_1": "c", "better_response_id": "tie"}
    assert "a tie (2)" in _refused(write(tmp_path / "data.jsonl", [row, row]))


def test_escapes_in_data_do_not_reach_the_message(tmp_path: Path) -> None:
    path = _with_line(tmp_path, '{"prompt": "a", "chosen": "c", "rejected": ["\\u001b[31m"], "\\u001b[2J": 1}')
    assert "\x1b" not in _refused(path)
