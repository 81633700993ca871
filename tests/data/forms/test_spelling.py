"""Messages in other keys and with other speakers, named by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, preferences, write
from tiebreak.data.forms.roles import parse_flag
from tiebreak.data.forms.spelling import spelled
from tiebreak.data.preference import Message, Preference

FLAG = "chosen=talk,rejected=other,role_key=who,content_key=said,user_role=Q|asker,assistant_role=A"
PLAIN = Preference((Message("user", "2+2?"),), "4", "5")


def _turn(who: str, said: str) -> dict[str, str]:
    return {"who": who, "said": said}


@pytest.mark.parametrize("name", ["data.jsonl", "data.parquet", "data.csv"])
@pytest.mark.parametrize("asker", ["Q", "asker", " q "])
def test_messages_are_read_by_the_keys_that_are_named(tmp_path: Path, name: str, asker: str) -> None:
    row = {"talk": [_turn(asker, "2+2?"), _turn("A", "4")], "other": [_turn(asker, "2+2?"), _turn("A", "5")]}
    assert preferences(load(write(tmp_path / name, [row]), columns=parse_flag(FLAG))) == [PLAIN]


def test_messages_in_the_usual_keys_are_read_beside_them(tmp_path: Path) -> None:
    usual = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5"}]
    row = {"talk": [_turn("Q", "2+2?"), _turn("A", "4")], "other": usual}
    assert preferences(load(write(tmp_path / "data.jsonl", [row]), columns=parse_flag(FLAG))) == [PLAIN]


@pytest.mark.parametrize("value", ["[1, 2]", "a text", '{"a": 1', ["a", "b"], None, 3, {"x": 1}])
def test_what_is_no_message_is_left_as_it_is(value: Any) -> None:
    of = spelled({"role_key": "who", "content_key": "said"})
    assert of is not None
    assert of(value) == value


def test_nothing_said_is_nothing_done() -> None:
    assert spelled({"better": "lower"}) is None
