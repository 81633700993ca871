"""Data sets as other trainers name them: an entry gives the source and says which column is what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import completions, preferences, write
from tiebreak.data.load import load_as_it_is, load_preferences, load_unpaired
from tiebreak.data.preference import Demonstration, Message, Preference, UnpairedCompletion
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

USER = Message("user", "2+2?")
SHARED = [{"from": "human", "value": "2+2?"}]


def _info(folder: Path, entry: dict[str, Any], row: dict[str, Any]) -> str:
    write(folder / "rows.jsonl", [row])
    (folder / "dataset_info.json").write_text(json.dumps({"mine": {"file_name": "rows.jsonl", **entry}}))
    return f"{folder / 'dataset_info.json'}:mine"


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        (
            {"ranking": True, "columns": {"prompt": "i", "query": "q", "chosen": "c", "rejected": "r"}},
            {"i": "2+2?", "q": "", "c": "4", "r": "5"},
        ),
        (
            {
                "ranking": True,
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "chosen": "c", "rejected": "r"},
            },
            {"conversations": SHARED, "c": {"from": "gpt", "value": "4"}, "r": {"from": "gpt", "value": "5"}},
        ),
        ({"ranking": True}, {"instruction": "2+2?", "chosen": "4", "rejected": "5"}),
    ],
)
def test_a_ranking_of_llama_factory_makes_pairs(tmp_path: Path, entry: dict[str, Any], row: dict[str, Any]) -> None:
    loaded = load_preferences(SourceSpec(_info(tmp_path, entry, row)))
    assert preferences(loaded) == [Preference((USER,), "4", "5")]


def test_other_entries_of_llama_factory(tmp_path: Path) -> None:
    tagged = {"columns": {"prompt": "i", "response": "o", "kto_tag": "k"}}
    loaded = load_unpaired(SourceSpec(_info(tmp_path, tagged, {"i": "2+2?", "o": "5", "k": False})))
    assert completions(loaded) == [UnpairedCompletion((USER,), "5", False)]
    plain = {"columns": {"prompt": "i", "response": "o", "system": "s"}}
    loaded = load_as_it_is(SourceSpec(_info(tmp_path, plain, {"i": "2+2?", "o": "4", "s": "Be brief."})))
    (made,) = [Demonstration.from_row(row) for row in loaded.dataset]
    assert made == Demonstration((Message("system", "Be brief."), USER), "4")


def test_an_entry_that_is_not_there_is_answered_with_near_names(tmp_path: Path) -> None:
    source = _info(tmp_path, {}, {})
    with pytest.raises(InputError, match="no entry 'mien'") as error:
        load_preferences(SourceSpec(source.replace(":mine", ":mien")))
    assert "did you mean 'mine'?" in str(error.value)


CONFIG = """
datasets:
  - path: one.jsonl
    type: chat_template.default
    field_messages: talk
    field_chosen: good
    field_rejected: bad
  - path: two.jsonl
    type: chatml.argilla
  - path: three.jsonl
    type: {field_prompt: q, field_chosen: c, field_rejected: r}
"""


def test_entries_of_axolotl_make_pairs(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(CONFIG)
    asked, answer = [{"role": "user", "content": "2+2?"}], {"role": "assistant"}
    row: dict[str, Any] = {"talk": asked, "good": {**answer, "content": "4"}, "bad": {**answer, "content": "5"}}
    write(tmp_path / "one.jsonl", [row])
    write(tmp_path / "two.jsonl", [{"instruction": "2+2?", "chosen_response": "4", "rejected_response": "5"}])
    write(tmp_path / "three.jsonl", [{"q": "2+2?", "c": "4", "r": "5"}])
    for number in range(3):
        loaded = load_preferences(SourceSpec(f"{tmp_path / 'config.yml'}:{number}"))
        assert preferences(loaded) == [Preference((USER,), "4", "5")]
    with pytest.raises(InputError, match="has 3 data sets"):
        load_preferences(SourceSpec(str(tmp_path / "config.yml")))
    with pytest.raises(InputError, match="no data set '3'"):
        load_preferences(SourceSpec(f"{tmp_path / 'config.yml'}:3"))


@pytest.mark.parametrize("key", ["num_samples", "shards", "preprocess_shards"])
def test_an_entry_that_takes_some_of_the_rows_is_refused(tmp_path: Path, key: str) -> None:
    row = {"instruction": "2+2?", "chosen": "4", "rejected": "5"}
    with pytest.raises(InputError, match=f"some of its rows .{key}: 3.") as refused:
        load_preferences(SourceSpec(_info(tmp_path, {"ranking": True, key: 3}, row)))
    assert f"leave {key} out" in str(refused.value.fix)
    config = tmp_path / "config.yml"
    config.write_text(f"datasets:\n  - path: rows.jsonl\n    type: chatml.intel\n    {key}: 3\n")
    with pytest.raises(InputError, match=key):
        load_preferences(SourceSpec(str(config)))
    assert preferences(load_preferences(SourceSpec(_info(tmp_path, {"ranking": True, key: None}, row))))
