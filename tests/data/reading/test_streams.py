"""Compressed and damaged bytes."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
import zstandard

from tests.data.files import load, pairs, preferences, write
from tiebreak.errors import InputError

GOOD = json.dumps(pairs(1)[0])


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as error:
        load(path, **settings)
    assert error.value.exit_code == 2
    return str(error.value)


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


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.csv.gz", "a"])
def test_text_with_the_mark_of_utf_16_is_read(tmp_path: Path, name: str, encoding: str) -> None:
    row = {"prompt": "é日😀", "chosen": "x", "rejected": "y"}
    between = "\t" if ".tsv" in name else ","
    table = f"{between.join(row)}\n{between.join(row.values())}\n"
    text = table if "sv" in name else json.dumps(row, ensure_ascii=False) + "\n"
    data = ("\ufeff" + text).encode(encoding)
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (pair,) = preferences(load(path))
    assert (pair.prompt[0].content, pair.chosen, pair.rejected) == ("é日😀", "x", "y")


def test_utf_16_that_breaks_off_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(("\ufeff" + GOOD + "\n").encode("utf-16-le") + b"\x00\xd8x")
    with pytest.raises(InputError):
        load(path)
    assert load(path, skip_bad_rows=True).report.made == 1
