"""Which reader a path needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiebreak.doctor.reading.logs import read_log
from tiebreak.errors import InputError

STATE = json.dumps({"log_history": [{"loss": 0.5, "step": 10}, {"loss": 0.4, "step": 20}]})
LINES = '{"step": 1, "loss": 0.6}\n{"step": 2, "loss": 0.5}\n'


@pytest.mark.parametrize("text", [LINES, "\ufeff" + LINES, "\n" + LINES.replace("\n", "\r\n")])
def test_lines_of_json_under_any_name(text: str, tmp_path: Path) -> None:
    for name in ("metrics.jsonl", "log.txt", "log.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        assert read_log(tmp_path / name).last == 2


def test_a_folder_by_what_lies_in_it(tmp_path: Path) -> None:
    for number in (9, 10):
        folder = tmp_path / f"checkpoint-{number}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(STATE.replace("20", str(number + 90)))
    assert read_log(tmp_path).last == 100  # the newest checkpoint, by its number
    (tmp_path / "trainer_state.json").write_text(STATE)
    assert read_log(tmp_path).last == 20
    (tmp_path / "metrics.jsonl").write_text(LINES)
    assert read_log(tmp_path).last == 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\x00\x01\x02", "holds no text"),
        (b'{"step": 1, "loss": "\xff"}', "no UTF-8"),
        (b"just some words\nand more\n", "no metric"),
        (b"{", "no JSON"),
    ],
)
def test_what_is_no_log_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says) as raised:
        read_log(path)
    assert str(path) in str(raised.value.where)


def test_what_is_not_there_or_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path / "missing")
    with pytest.raises(InputError, match="no log of a training in this folder"):
        read_log(tmp_path)


def test_utf_16_as_some_programs_save_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(
        "<table><tr><th>Step</th><th>Loss</th></tr><tr><td>1</td><td>0.5</td></tr></table>".encode("utf-16")
    )
    assert read_log(path).curve("loss").values == (0.5,)
