"""Which reader a path needs."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.doctor.made import FORMS, TABLES
from tiebreak.doctor.examine import examine
from tiebreak.doctor.reading.logs import read_log
from tiebreak.doctor.written import written
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


_SPLINTERS = (
    *("nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0", "", "-1", "9" * 400, "No log", "null", "true"),
    *("[]", "{}", '"', "|", "<", ">", ",", ";", "\n", "\t", "\x00", "\x1b[2J", "é", "<table>", "---"),
)


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_log_is_judged_or_refused(form: str, tmp_path: Path) -> None:
    """Whatever stands in a file: findings that can be written, or an error with a sentence."""
    chance = random.Random(form)
    path = tmp_path / form
    judged = 0
    for _ in range(150):
        text = FORMS[form](TABLES[chance.choice(list(TABLES))])
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(text))
            text = text[:start] + chance.choice(_SPLINTERS) + text[start + chance.choice((0, 1, 3, 20)) :]
        path.write_text(text, encoding="utf-8")
        try:
            found = examine(path, held_out=chance.choice((None, 1, 50)))
        except InputError:
            continue
        assert list(written(found))
        json.dumps(found.to_json(), allow_nan=False)
        judged += 1
    assert judged >= 5
