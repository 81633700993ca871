"""Files appear whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiebreak.files import folder_at_once, write_json, write_text


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "one")
    write_text(file, "two")
    assert file.read_text() == "two"
    assert list(file.parent.iterdir()) == [file]


def test_json_has_no_numbers_that_json_does_not_have(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"loss": float("nan"), "deep": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": None, "deep": [None, 1.5]}


def test_half_a_character_does_not_stop_a_run(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"prompt": "half \ud800 of it"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"prompt": "half ? of it"}


def test_a_folder_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    with folder_at_once(tmp_path / "model") as partial:
        (partial / "weights").write_text("1")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "weights").read_text() == "1"
    with folder_at_once(tmp_path / "model") as partial:
        (partial / "weights").write_text("2")
    assert (tmp_path / "model" / "weights").read_text() == "2"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    with folder_at_once(tmp_path / "model") as partial:
        (partial / "weights").write_text("1")

    def fail() -> None:
        with folder_at_once(tmp_path / "model") as partial:
            (partial / "weights").write_text("2")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert (tmp_path / "model" / "weights").read_text() == "1"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
