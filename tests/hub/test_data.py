"""Preferences go to the Hub in one form, with a card that says what they are, and come back row for row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
from huggingface_hub import DatasetCard

from tests.data.files import pairs, write
from tests.hub.conftest import Ask, environment, python
from tests.hub_server import Hub

SCRIPT = """
import json, sys
from datasets import load_dataset
from tiebreak.data.load import load_preferences
from tiebreak.data.preference import Preference, plain_row
from tiebreak.data.reading.sources import SourceSpec
loaded = load_preferences(SourceSpec(sys.argv[1]))
rows = [plain_row(Preference.from_row(row).to_row()) for row in loaded.dataset]
print(json.dumps([loaded.recognition.schema, rows, load_dataset(sys.argv[1], split="test").num_rows]))
"""


def test_preferences_come_back_as_they_went(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**row, "id": f"row {i}"} for i, row in enumerate(pairs(12))]
    rows[3]["rejected"] = 7
    write(tmp_path / "private-place" / "train.jsonl", rows)
    write(tmp_path / "private-place" / "test.jsonl", pairs(3, "held out"))
    source = str(tmp_path / "private-place")
    push = ["push-data", source, "ann/votes", "--split", "train", "--split", "test", "--skip-bad-rows"]
    dry, said, again, file = ask(
        [*push, "--dry-run", "--json"],
        [*push, "--license", "CC-BY-4.0", "--private"],
        [*push, "--license", "CC-BY-4.0", "--private"],
        ["data", "convert", source, "canonical.jsonl", "--skip-bad-rows"],
    )
    assert (dry.code, said.code, file.code) == (0, 0, 0), dry.err + said.err + file.err
    assert said.out.strip() == f"{hub.url}/datasets/ann/votes"
    assert "Nothing has changed" in again.err
    repository = hub.repository("ann/votes", "datasets")
    files = repository.files()
    assert repository.private
    assert sorted(files) == ["README.md", "data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet"]
    assert [each["path"] for each in json.loads(dry.out)["files"]] == sorted(files)

    schema, back, test = json.loads(
        python(SCRIPT, "ann/votes", cwd=tmp_path, env=environment(tmp_path / "elsewhere", hub))
    )
    assert back == [json.loads(line) for line in (tmp_path / "canonical.jsonl").read_text().splitlines()]
    assert (len(back), test) == (11, 3)
    assert schema

    card = DatasetCard(files["README.md"].decode())
    data: Any = card.data
    assert (data.license, data.size_categories) == ("cc-by-4.0", ["n<1K"])
    assert data.dataset_info["splits"][0]["num_examples"] == 11
    assert "private-place as preferences" in card.text
    assert str(tmp_path) not in str(card)
    assert "| train | could not be read | 1 |" in card.text


def test_columns_and_a_transform_are_taken_as_by_convert(ask: Ask, tmp_path: Path) -> None:
    rows = [
        {"q": row["prompt"], "good": row["chosen"], "bad": row["rejected"], "n": i} for i, row in enumerate(pairs(4))
    ]
    source = str(write(tmp_path / "mine.jsonl", rows))
    (tmp_path / "rows.py").write_text("def some(row):\n    return row if row['n'] else None\n")
    how = ["--columns", "prompt=q,chosen=good,rejected=bad", "--transform", "rows:some"]
    pushed, file = ask(
        ["push-data", source, "ann/mine", "--dry-run", "--out", str(tmp_path / "dry"), *how],
        ["data", "convert", source, "canonical.jsonl", *how],
    )
    assert (pushed.code, file.code) == (0, 0), pushed.err + file.err
    (written,) = (tmp_path / "dry").glob("data/*.parquet")
    lines = [json.loads(line) for line in (tmp_path / "canonical.jsonl").read_text().splitlines()]
    assert [row["chosen"] for row in parquet.read_table(written).to_pylist()] == [line["chosen"] for line in lines]
    assert len(lines) == 3


def test_without_a_license_the_card_says_unknown(ask: Ask, tmp_path: Path) -> None:
    flags = ["--dry-run", "--out", "shown", "--limit", "20"]
    (said,) = ask(["push-data", "bundled:preferences", "ann/votes", *flags], online=False, token=None)
    assert said.code == 0, said.err
    card = DatasetCard((tmp_path / "shown" / "README.md").read_text())
    data: Any = card.data
    assert data.license == "unknown"
    assert parquet.read_table(tmp_path / "shown" / "data" / "train-00000-of-00001.parquet").num_rows == 20
    assert "## License\n\nUnknown" in card.text


def test_what_cannot_be_pushed_is_a_sentence(hub: Hub, ask: Ask, tmp_path: Path) -> None:
    write(tmp_path / "prefs.jsonl", pairs(2))
    answers = ask(
        ["push-data", "prefs.jsonl", "votes"],
        ["push-data", "none.jsonl", "ann/votes"],
        ["push-data", "prefs.jsonl", "bob/votes"],
        ["push-data", "prefs.jsonl", "ann/votes", "--split", "a-b"],
        ["push-data", "prefs.jsonl", "ann/votes", "--schema", "nonsense"],
    )
    for said, expected in zip(answers, ["owner/name", "no file", "may not write", "splits", "nonsense"], strict=True):
        assert said.code == 2, said
        assert expected in said.err
    assert not hub.store.repositories


def test_an_unreachable_hub_is_asked_once(hub: Hub, ask: Ask) -> None:
    hub.moods.down = True
    said, nowhere = ask(["data", "inspect", "ann/nothing"], ["data", "convert", "ann/nothing", "file.jsonl"])
    for each in (said, nowhere):
        assert each.code == 2
        assert f"The Hub cannot be reached (no answer from {hub.url})" in each.err
    assert hub.requests == ["HEAD /", "HEAD /"]
