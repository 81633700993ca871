"""JSON lines and JSON arrays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.reading import json_rows
from tiebreak.data.reading.json_rows import read_json
from tiebreak.data.reading.streams import open_bytes
from tiebreak.errors import InputError


def test_marks_and_line_ends_of_other_systems_are_passed_over(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in pairs(3)]
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode() + b"\r\n  \r\n")
    assert preferences(load(path)) == preferences(load(write(tmp_path / "plain.jsonl", pairs(3))))
    spreadsheet = tmp_path / "windows.csv"
    spreadsheet.write_bytes(b'\xef\xbb\xbfprompt,chosen,rejected\r\n"a, b","c\r\nd",e\r\n\r\nf,g,h\r\n')
    assert [(each.prompt[0].content, each.chosen) for each in preferences(load(spreadsheet))] == [
        ("a, b", "c\r\nd"),
        ("f", "g"),
    ]


def test_json_lines_under_the_name_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in pairs(4)))
    assert load(path).report.pairs == 4


def test_a_text_with_a_nul_keeps_it(tmp_path: Path) -> None:
    path = write(tmp_path / "nul.jsonl", [{"prompt": "p", "chosen": "a\0b", "rejected": "r"}])
    assert preferences(load(path))[0].chosen == "a\0b"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(alphabet='aé日😀"\\[]{},\n', max_size=30), max_size=4), max_size=20
    ),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
)
def test_a_json_array_is_read_piece_by_piece_whatever_the_pieces(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], chunk: int, indent: int | None
) -> None:
    path = tmp_path_factory.mktemp("array") / "data.json"
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=indent), encoding="utf-8")

    before, json_rows._CHUNK = json_rows._CHUNK, chunk
    try:
        with open_bytes(path, "data.json") as stream:
            assert [row.values for row in read_json(stream, _never)] == rows
    finally:
        json_rows._CHUNK = before


def _never(error: InputError) -> None:
    raise error


GOOD = json.dumps(pairs(1)[0])


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as error:
        load(path, **settings)
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_json_array_that_breaks_off_keeps_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[" + GOOD + ", " + GOOD.replace("0", "1") + ', {"prompt": "a", "chosen')
    said = _refused(path)
    assert "data.json:3" in said
    assert load(path, skip_bad_rows=True).report.pairs == 2


def test_an_array_under_the_name_of_json_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(pairs(5), indent=1))
    assert preferences(load(path)) == preferences(load(write(tmp_path / "plain.jsonl", pairs(5))))


@pytest.mark.parametrize(
    "text",
    [
        '{"prompt": [{"role": "user", "content": "x", "content": "y"}], "chosen": "b", "rejected": "c"}\n',
        '[{"prompt": [{"role": "user", "content": "x", "content": "y"}], "chosen": "b", "rejected": "c"}]',
        '{"data": [{"prompt": [{"role": "user", "content": "x", "content": "y"}], "chosen": "b", "rejected": "c"}]}',
        '{"prompt": "y", "chosen": "b", "rejected": "c", "meta": {"deep": [{"a": 1, "a": 2}]}}',
    ],
)
def test_a_key_that_stands_twice_inside_is_noted(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.json").write_text(text)
    loaded = load(tmp_path / "data.json")
    assert {note: tally.count for note, tally in loaded.report.notes.items()} == {json_rows.REPEATED_KEY: 1}
    assert preferences(loaded)[0].prompt[0].content == "y"


@pytest.mark.parametrize("extension", [".json", ".jsonl"])
def test_a_key_that_stands_twice_is_noted(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"data{extension}"
    rows = [
        '{"prompt": "a", "chosen": "b", "rejected": "c", "chosen": "d"}',
        '{"prompt": "\\"prompt\\": 1, \\"prompt\\": 2", "chosen": "b", "rejected": "c"}',
        '{"prompt": [{"role": "user", "content": "x"}, {"role": "user", "content": "prompt"}], "chosen": "b", '
        '"rejected": "c"}',
    ]
    path.write_text("\n".join(rows[:2]))
    loaded = load(path)
    assert {note: tally.count for note, tally in loaded.report.notes.items()} == {json_rows.REPEATED_KEY: 1}
    assert preferences(loaded)[0].chosen == "d"
