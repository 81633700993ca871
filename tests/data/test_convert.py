"""Canonical rows as files that others can read: whole or not at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from pyarrow import parquet

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.convert import check_target, write_rows
from tiebreak.data.preference import Message, Preference
from tiebreak.errors import InputError, RunError


@pytest.fixture
def rows(tmp_path: Path) -> Dataset:
    return load(write(tmp_path / "data.jsonl", pairs(700))).dataset


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"])
def test_a_file_has_the_rows_in_order_and_is_the_same_each_time(rows: Dataset, tmp_path: Path, name: str) -> None:
    assert write_rows(rows, tmp_path / name) == 700
    again = load(tmp_path / name)
    assert [pair.to_row() for pair in preferences(again)] == [pair.to_row() for pair in _pairs(rows)]
    first = (tmp_path / name).read_bytes()
    write_rows(rows, tmp_path / name, force=True)
    assert (tmp_path / name).read_bytes() == first


def test_a_selection_is_written_in_its_order(rows: Dataset, tmp_path: Path) -> None:
    chosen = rows.select([5, 3, 600])
    write_rows(chosen, tmp_path / "out.parquet")
    assert [pair.to_row() for pair in preferences(load(tmp_path / "out.parquet"))] == [
        pair.to_row() for pair in _pairs(chosen)
    ]


def _pairs(rows: Dataset) -> list[Preference]:
    return [Preference.from_row(row) for row in rows]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_file_has_the_columns_and_keys_that_its_rows_use(tmp_path: Path, name: str) -> None:
    plain = Preference((Message("user", "2+2?"),), "4", "5")
    call = Message("assistant", "", tool_calls="[]")
    prompt = (*plain.prompt, call, Message("tool", "4", tool_call_id="c"))
    tools = dataclasses.replace(plain, prompt=prompt, tools="[]", chosen_turns=(call, Message("assistant", "4")))
    for rows, columns, keys in (
        ([plain], set(), set()),
        ([tools, plain], {"tools", "chosen_turns"}, {"tool_calls", "tool_call_id"}),
    ):
        dataset = Dataset.from_list([row.to_row() for row in rows], features=Preference.features())
        write_rows(dataset, tmp_path / name, force=True)
        file = tmp_path / name
        lines = parquet.read_table(file).to_pylist() if name.endswith("parquet") else json_lines(file)
        assert [Preference.from_row(line) for line in lines] == rows
        assert {*lines[0]} == {
            "prompt",
            "chosen",
            "rejected",
            "id",
            "weight",
            "chosen_score",
            "rejected_score",
            *columns,
        }
        assert {key for line in lines for turn in line["prompt"] for key in turn} == {"role", "content", *keys}


def json_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_target_that_stands_is_kept_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        check_target(target, force=False)
    check_target(target, force=True)
    for wrong in (tmp_path / "out.txt", tmp_path / "no" / "out.jsonl", tmp_path):
        with pytest.raises(InputError):
            check_target(wrong, force=True)


def test_a_disk_that_refuses_leaves_nothing(rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunError, match="No space left"):
        write_rows(rows, tmp_path / "out.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.jsonl"]
