from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from tests.data.files import load, pairs, write
from tiebreak.data.load import load_preferences
from tiebreak.data.sources import SourceSpec
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


BAD_LINES = {
    "cut off": ('{"prompt": "a", "chosen": ', ["not JSON", "data.jsonl:2"]),
    "not an object": ("[1, 2]", ["an object", "a list of 2"]),
    "a raw control character": ('{"prompt": "a\x00b", "chosen": "c", "rejected": "d"}', ["not JSON"]),
    "not UTF-8": (b'{"prompt": "caf\xe9", "chosen": "c", "rejected": "d"}', ["not UTF-8", "0xe9"]),
    "half a character": (r'{"prompt": "\ud83d", "chosen": "c", "rejected": "d"}', ["half a character"]),
    "nested too deeply": ('{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}", ["nested too deeply"]),
    "a number too long": ('{"prompt": ' + "9" * 5_000 + "}", ["cannot be read"]),
    "an empty ending": ('{"prompt": "a", "chosen": "", "rejected": "d"}', ["'chosen'", "an answer", "nothing"]),
    "a blank ending": ('{"prompt": "a", "chosen": "c", "rejected": " \\n "}', ["'rejected'", "only white space"]),
    "an empty prompt": ('{"prompt": "", "chosen": "c", "rejected": "d"}', ["'prompt'"]),
    "a null": ('{"prompt": "a", "chosen": null, "rejected": "d"}', ["'chosen'", "found null"]),
    "a missing column": ('{"prompt": "a", "chosen": "c"}', ["'rejected'", "no such column", "prompt, chosen"]),
    "a number for text": ('{"prompt": "a", "chosen": 3, "rejected": "d"}', ["'chosen'", "the number 3"]),
    "NaN for text": ('{"prompt": "a", "chosen": NaN, "rejected": "d"}', ["'chosen'", "the number nan"]),
    "a list for text": ('{"prompt": "a", "chosen": ["c"], "rejected": "d"}', ["'chosen'", "a list of 1"]),
    "another format": (
        '{"instruction": "a", "input": "", "chosen": "c", "rejected": "d"}',
        ["mixes formats", "'text'", "'alpaca'"],
    ),
    "a negative weight": ('{"prompt": "a", "chosen": "c", "rejected": "d", "weight": -1}', ["'weight'"]),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_row_is_named_and_with_skip_it_is_left_out(tmp_path: Path, kind: str) -> None:
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


def test_a_file_that_is_not_there_is_answered_with_near_names(tmp_path: Path) -> None:
    write(tmp_path / "preferences.jsonl", pairs(1))
    said = _refused(tmp_path / "preferance.jsonl")
    assert "There is no file" in said
    assert "'preferences.jsonl'" in said
    assert "no folder" in _refused(tmp_path / "nowhere" / "x.jsonl")


def test_a_wrong_extension_names_the_right_ones(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text(GOOD)
    assert ".jsonl" in _refused(path)
    empty = tmp_path / "folder"
    empty.mkdir()
    (empty / "notes.md").write_text("x")
    assert "no file that can be read" in _refused(empty)


def test_content_that_contradicts_the_extension_is_said(tmp_path: Path) -> None:
    parquet = write(tmp_path / "a.parquet", pairs(2)).read_bytes()
    (tmp_path / "b.jsonl").write_bytes(parquet)
    assert "parquet data" in _refused(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").write_bytes(gzip.compress(GOOD.encode()))
    assert "gzip data" in _refused(tmp_path / "c.jsonl")
    (tmp_path / "d.jsonl.gz").write_text(GOOD)
    assert "does not hold gzip" in _refused(tmp_path / "d.jsonl.gz")
    (tmp_path / "e.parquet").write_text(GOOD)
    assert "not Parquet" in _refused(tmp_path / "e.parquet")
    (tmp_path / "f.arrow").write_text(GOOD)
    assert "not Arrow" in _refused(tmp_path / "f.arrow")
    (tmp_path / "g.jsonl").write_text(f"[{GOOD}]")
    assert "JSON array" in _refused(tmp_path / "g.jsonl")
    (tmp_path / "h.csv").write_bytes(parquet)
    assert "parquet data" in _refused(tmp_path / "h.csv")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    assert "is empty" in _refused(tmp_path / name)
    (tmp_path / "b.json").write_text("[]")
    assert "is empty" in _refused(tmp_path / "b.json")


@pytest.mark.parametrize("compression", [".gz", ".zst"])
def test_a_truncated_file_is_reported_and_with_skip_keeps_what_could_be_read(tmp_path: Path, compression: str) -> None:
    import random

    draw = random.Random(0)
    rows = [{**row, "chosen": f"{draw.random()} {draw.random()}"} for row in pairs(5000)]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packed = gzip.compress(data) if compression == ".gz" else zstandard.compress(data)
    path = tmp_path / f"data.jsonl{compression}"
    path.write_bytes(packed[: len(packed) // 2])
    said = _refused(path)
    assert "cut off or damaged after row" in said
    loaded = load(path, skip_bad_rows=True)
    assert 1000 < loaded.report.pairs < 4000
    assert "cut off" in loaded.report.bad.examples[0]


def test_a_json_array_that_breaks_off_keeps_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[" + GOOD + ", " + GOOD.replace("0", "1") + ', {"prompt": "a", "chosen')
    said = _refused(path)
    assert "data.json:3" in said
    assert load(path, skip_bad_rows=True).report.pairs == 2


def test_a_csv_row_of_another_width_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,chosen,rejected\na,b,c\nd,e\nf,g,h\n")
    said = _refused(path)
    assert "data.csv:2" in said
    assert "3 columns" in said
    assert load(path, skip_bad_rows=True).report.pairs == 2
    path.write_bytes(b"prompt,chosen,rejected\na,b,c\nd,\xff,f\nf,g,h\n")
    assert "not UTF-8" in _refused(path)
    assert load(path, skip_bad_rows=True).report.pairs == 2


def test_an_empty_csv_cell_is_a_missing_value(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,chosen,rejected\na,b,c\nd,,f\n")
    assert "'chosen': expected text, found null" in _refused(path)


def test_an_unknown_schema_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(1))
    said = _refused(path, schema="transcrpt")
    assert "did you mean 'transcript'?" in said


def test_unknown_columns_are_answered_with_what_is_known(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"prompt": "a", "choosen": "b", "rejected": "c"}])
    said = _refused(path)
    assert "no such column (the row has 'prompt, choosen, rejected')" in said
    assert "rename the column 'choosen' to 'chosen'" in said
    said = _refused(write(tmp_path / "other.jsonl", [{"question": "a", "reply": "b"}]))
    assert "question, reply" in said
    assert "transcript" in said


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


def test_a_hub_setting_for_a_local_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(1))
    for spec in (
        SourceSpec(str(path), config="x"),
        SourceSpec(str(path), revision="main"),
        SourceSpec(str(path), split="test"),
        SourceSpec(str(path), data_dir="x"),
        SourceSpec("bundled:nothing"),
        SourceSpec("bundled:preferences", split="nothing"),
        SourceSpec("three words here"),
    ):
        with pytest.raises(InputError):
            load_preferences(spec)
