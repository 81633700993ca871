"""Entries of LLaMA-Factory's `dataset_info.json`: columns, tags of messages, labels, pictures, sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import completions, preferences, unpaired, write
from tiebreak.data.forms.brought import brought
from tiebreak.data.load import LoadedPreferences, load_as_it_is
from tiebreak.data.preference import Demonstration, Message, Preference, UnpairedCompletion
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

USER, SYSTEM = Message("user", "2+2?"), Message("system", "Be brief.")
TAGS = {
    "role_tag": "who",
    "content_tag": "said",
    "user_tag": "Q",
    "assistant_tag": "A",
    "observation_tag": "saw",
    "function_tag": "did",
    "system_tag": "rules",
}
TOOLS = [
    {"name": "add", "description": "adds", "parameters": {"type": "object", "properties": {"x": {"type": "number"}}}}
]


def _turn(who: str, said: str) -> dict[str, str]:
    return {"who": who, "said": said}


def _info(folder: Path, entry: dict[str, Any], *rows: dict[str, Any]) -> str:
    write(folder / "rows.jsonl", rows)
    (folder / "dataset_info.json").write_text(json.dumps({"mine": {"file_name": "rows.jsonl", **entry}}))
    return f"{folder / 'dataset_info.json'}:mine"


def _load(folder: Path, entry: dict[str, Any], *rows: dict[str, Any]) -> LoadedPreferences:
    return load_as_it_is(SourceSpec(_info(folder, entry, *rows)))


def test_tags_say_what_messages_call_their_keys_and_speakers(tmp_path: Path) -> None:
    entry = {
        "ranking": True,
        "formatting": "sharegpt",
        "columns": {"messages": "talk", "chosen": "good", "rejected": "bad", "system": "s", "tools": "t"},
        "tags": TAGS,
    }
    call = json.dumps({"name": "add", "arguments": {"x": 2}})
    talk = [_turn("Q", "2+2?"), _turn("did", call), _turn("saw", "4"), _turn("A", "It is 4."), _turn("Q", "2+2?")]
    row = {"talk": talk, "good": _turn("A", "4"), "bad": _turn("A", "5"), "s": "Be brief.", "t": json.dumps(TOOLS)}
    (made,) = preferences(_load(tmp_path, entry, row))
    assert [turn.role for turn in made.prompt] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert made.prompt[0] == SYSTEM
    assert made.prompt[2].tool_calls is not None
    assert json.loads(made.prompt[2].tool_calls)[0]["function"] == {"name": "add", "arguments": {"x": 2}}
    assert made.prompt[3].content == "4"
    assert (made.chosen, made.rejected) == ("4", "5")
    assert made.tools is not None
    assert json.loads(made.tools)[0]["function"]["name"] == "add"


def test_a_system_turn_may_stand_in_the_conversation(tmp_path: Path) -> None:
    entry = {"ranking": True, "formatting": "sharegpt", "tags": TAGS}
    entry["columns"] = {"messages": "talk", "chosen": "c", "rejected": "r"}
    row = {"talk": [_turn("rules", "Be brief."), _turn("Q", "2+2?")], "c": _turn("A", "4"), "r": _turn("A", "5")}
    assert preferences(_load(tmp_path, entry, row)) == [Preference((SYSTEM, USER), "4", "5")]


def test_conversations_with_tags_are_demonstrations(tmp_path: Path) -> None:
    entry = {
        "formatting": "sharegpt",
        "columns": {"messages": "talk"},
        "tags": {"role_tag": "who", "content_tag": "said"},
    }
    row = {"talk": [_turn("human", "2+2?"), _turn("gpt", "4"), _turn("human", "sure?"), _turn("gpt", "yes")]}
    loaded = _load(tmp_path, entry, row, {"talk": row["talk"][:2]})
    assert [Demonstration.from_row(each).completion for each in loaded.dataset] == ["4", "yes", "4"]


def test_a_kto_tag_labels_the_last_answer_of_a_conversation(tmp_path: Path) -> None:
    entry = {"formatting": "sharegpt", "columns": {"messages": "talk", "kto_tag": "ok"}, "tags": TAGS}
    row = {"talk": [_turn("Q", "2+2?"), _turn("A", "5")], "ok": False}
    source = _info(tmp_path, entry, row)
    loaded = load_as_it_is(SourceSpec(source))
    assert loaded.task == "unpaired"
    assert completions(unpaired(Path(source))) == [UnpairedCompletion((USER,), "5", False)]


def test_a_conversation_of_openai_needs_no_tags(tmp_path: Path) -> None:
    entry = {"formatting": "openai", "columns": {"messages": "messages"}}
    row = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
    loaded = _load(tmp_path, entry, row)
    assert [Demonstration.from_row(each) for each in loaded.dataset] == [Demonstration((USER,), "4")]


def test_alpaca_rows_with_history_query_and_a_response(tmp_path: Path) -> None:
    entry = {"columns": {"prompt": "i", "query": "q", "response": "o", "history": "h", "system": "s"}}
    row = {"i": "Add.", "q": "2 and 2", "o": "4", "h": [["hi", "hello"]], "s": "Be brief."}
    (made,) = [Demonstration.from_row(each) for each in _load(tmp_path, entry, row).dataset]
    earlier = (Message("user", "hi"), Message("assistant", "hello"))
    assert made == Demonstration((SYSTEM, *earlier, Message("user", "Add.\n2 and 2")), "4")


def test_rows_with_pictures_in_the_named_column_are_dropped_by_name(tmp_path: Path) -> None:
    entry = {"ranking": True, "columns": {"prompt": "i", "chosen": "c", "rejected": "r", "images": "pics"}}
    plain = {"i": "2+2?", "c": "4", "r": "5", "pics": []}
    loaded = _load(tmp_path, entry, plain, {**plain, "pics": ["a.png"]})
    assert preferences(loaded) == [Preference((USER,), "4", "5")]
    assert [tally.count for tally in loaded.report.dropped.values()] == [1]


@pytest.mark.parametrize(
    ("entry", "source", "config"),
    [
        ({"hf_hub_url": "a/b", "subset": "c", "split": "d"}, "a/b", "c"),
        ({"hf_hub_url": "a/b", "file_name": "gone.jsonl"}, "a/b", None),
        ({"cloud_file_name": "s3://b/x.jsonl"}, "s3://b/x.jsonl", None),
    ],
)
def test_where_the_rows_are(tmp_path: Path, entry: dict[str, Any], source: str, config: str | None) -> None:
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    spec, _columns = brought(SourceSpec(f"{tmp_path / 'dataset_info.json'}:mine"), None)
    assert (spec.source, spec.config) == (source, config)


def test_an_entry_that_names_a_script_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": {"script_url": "x"}}))
    with pytest.raises(InputError, match="names no file_name"):
        load_as_it_is(SourceSpec(f"{tmp_path / 'dataset_info.json'}:mine"))
