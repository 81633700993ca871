"""Whatever a source is, the answer is pairs or an InputError: never another exception, never a crash."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import BUNDLED, SourceSpec
from tiebreak.errors import InputError

FORMS = [".jsonl", ".json", ".csv", ".parquet", ".arrow"]


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_gives_the_same_pairs(tmp_path: Path, form: str, compression: str) -> None:
    rows = [*pairs(700), {"prompt": "über\nzwei Zeilen, «ja»", "chosen": '"quoted", yes', "rejected": "日本\r\nno"}]
    plain = load(write(tmp_path / "plain.jsonl", rows))
    other = load(write(tmp_path / f"other{form}{compression}", rows))
    assert preferences(other) == preferences(plain)
    assert other.report.rows == other.report.pairs == 701


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


def test_the_bundled_preferences_are_read() -> None:
    from tiebreak.bundled import preferences_path

    if not preferences_path("train").is_file():
        pytest.skip("the bundled preferences are missing: python -m tiebreak.bundled.make OUT makes them")
    train, held_out = (load_preferences(SourceSpec(BUNDLED, split=split)) for split in ("train", "held_out"))
    assert train.recognition.schema == "tiebreak"
    assert len(train.dataset) > len(held_out.dataset) > 0


def _damaged(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice([1, 1, 3, 20])):
        at = draw.randrange(len(found)) if found else 0
        kind = draw.randrange(4)
        if kind == 0:
            del found[at:]
        elif kind == 1 and found:
            found[at] = draw.randrange(256)
        elif kind == 2:
            found[at:at] = draw.randbytes(draw.randrange(20))
        else:
            del found[at : at + draw.randrange(50)]
    return bytes(found)


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_read_in_part_or_refused(tmp_path: Path, form: str) -> None:
    draw = random.Random(form)
    rows = [*pairs(50), {"prompt": "é日😀", "chosen": 'a\n"b', "rejected": "\\"}]
    whole = write(tmp_path / f"whole{form}", rows).read_bytes()
    path = tmp_path / f"data{form}"
    for _ in range(25):
        path.write_bytes(_damaged(whole, draw))
        for skip in (False, True):
            with contextlib.suppress(InputError):
                preferences(load(path, skip_bad_rows=skip))
