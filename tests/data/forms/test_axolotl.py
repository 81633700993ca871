"""Entries of an Axolotl config: each type with the rows that it is for, and exactly what they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.data.files import completions, preferences, unpaired, write
from tiebreak.data.load import LoadedPreferences, load_as_it_is
from tiebreak.data.preference import Demonstration, Message, Preference, UnpairedCompletion
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

USER, SYSTEM = Message("user", "2+2?"), Message("system", "Be brief.")
PLAIN, BRIEF = Preference((USER,), "4", "5"), Preference((SYSTEM, USER), "4", "5")
ASKED = {"role": "user", "content": "2+2?"}


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


WHOLE = {"chosen": [ASKED, _said("4")], "rejected": [ASKED, _said("5")]}
TWO = {"chosen": "4", "rejected": "5"}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Preference]] = {
    "chat_template.default": (
        {"type": "chat_template.default"},
        {"messages": [ASKED], "chosen": _said("4"), "rejected": _said("5")},
        PLAIN,
    ),
    "chat_template.default with fields and mappings": (
        {
            "type": "chat_template.default",
            "field_messages": "talk",
            "field_chosen": "good",
            "field_rejected": "bad",
            "message_property_mappings": {"role": "who", "content": "said"},
            "roles": {"user": ["Q", "human"], "assistant": ["A"], "system": ["rules"]},
        },
        {
            "talk": [{"who": "rules", "said": "Be brief."}, {"who": "Q", "said": "2+2?"}],
            "good": {"who": "A", "said": "4"},
            "bad": {"who": "A", "said": "5"},
        },
        BRIEF,
    ),
    "chat_template.default with the older names": (
        {"type": "chat_template.default", "message_field_role": "who", "message_field_content": "said"},
        {
            "messages": [{"who": "user", "said": "2+2?"}],
            "chosen": [{"who": "assistant", "said": "4"}],
            "rejected": [{"who": "assistant", "said": "5"}],
        },
        PLAIN,
    ),
    "chat_template.argilla_chat": ({"type": "chat_template.argilla_chat"}, WHOLE, PLAIN),
    "chatml.intel": ({"type": "chatml.intel"}, {"system": "Be brief.", "question": "2+2?", **TWO}, BRIEF),
    "llama3.icr": ({"type": "llama3.icr"}, {"system": "Be brief.", "input": "2+2?", **TWO}, BRIEF),
    "chatml.argilla": (
        {"type": "chatml.argilla"},
        {"system": "Be brief.", "instruction": "2+2?", "chosen_response": "4", "rejected_response": "5"},
        BRIEF,
    ),
    "llama3.argilla_chat": ({"type": "llama3.argilla_chat"}, WHOLE, PLAIN),
    "chatml.prompt_pairs": ({"type": "chatml.prompt_pairs"}, {"system": "Be brief.", "prompt": "2+2?", **TWO}, BRIEF),
    "llama3.ultra": ({"type": "llama3.ultra"}, {"prompt": "2+2?", **WHOLE}, PLAIN),
    "user_defined.default": (
        {"type": {"field_prompt": "q", "field_system": "s", "field_chosen": "c", "field_rejected": "r"}},
        {"q": "2+2?", "s": "Be brief.", "c": "4", "r": "5"},
        BRIEF,
    ),
    "user_defined with formats": (
        {"type": {"field_prompt": "q", "prompt_format": "[INST] {prompt} [/INST]", "chosen_format": "{chosen}</s>"}},
        {"q": "2+2?", **TWO},
        PLAIN,
    ),
    "no type": ({}, {"question": "2+2?", **TWO}, PLAIN),
}


def _config(folder: Path, entry: dict[str, Any], row: dict[str, Any], **more: Any) -> str:
    write(folder / "rows.jsonl", [row])
    document = {**more, "datasets": [{"path": "rows.jsonl", "split": "train", **entry}]}
    (folder / "config.yml").write_text(yaml.safe_dump(document))
    return str(folder / "config.yml")


def _load(folder: Path, entry: dict[str, Any], row: dict[str, Any], **more: Any) -> LoadedPreferences:
    return load_as_it_is(SourceSpec(_config(folder, entry, row, **more)))


@pytest.mark.parametrize("case", CASES)
def test_a_type_makes_exactly_its_pair(tmp_path: Path, case: str) -> None:
    entry, row, expected = CASES[case]
    assert preferences(_load(tmp_path, entry, row)) == [expected]


def test_nectar_is_read_by_its_ranks(tmp_path: Path) -> None:
    answers = [{"answer": "5", "rank": 2}, {"answer": "4", "rank": 1}]
    loaded = _load(tmp_path, {"type": "zephyr.nectar"}, {"prompt": "2+2?", "answers": answers})
    assert preferences(loaded) == [Preference((USER,), "4", "5", "row-1#1>0")]


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        ({"type": "llama3.argilla"}, {"instruction": "2+2?", "completion": "5", "label": False}),
        ({"type": "chatml.intel"}, {"question": "2+2?", "completion": "5", "label": False}),
        (
            {"type": {"field_prompt": "q", "field_completion": "c", "field_label": "ok"}},
            {"q": "2+2?", "c": "5", "ok": False},
        ),
    ],
)
def test_a_config_for_kto_has_labels(tmp_path: Path, entry: dict[str, Any], row: dict[str, Any]) -> None:
    loaded = unpaired(Path(_config(tmp_path, entry, row, rl="kto")))
    assert completions(loaded) == [UnpairedCompletion((USER,), "5", False)]


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        ({"type": "chat_template"}, {"messages": [ASKED, _said("4")]}),
        (
            {
                "type": "chat_template",
                "field_messages": "talk",
                "message_property_mappings": {"role": "a", "content": "b"},
            },
            {"talk": [{"a": "user", "b": "2+2?"}, {"a": "assistant", "b": "4"}], "id": None},
        ),
        ({"type": "sharegpt"}, {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]}),
        ({"type": "alpaca"}, {"instruction": "2+2?", "input": "", "output": "4"}),
        ({"type": {"field_instruction": "i", "field_output": "o"}}, {"i": "2+2?", "o": "4"}),
    ],
)
def test_supervised_types_make_demonstrations(tmp_path: Path, entry: dict[str, Any], row: dict[str, Any]) -> None:
    loaded = _load(tmp_path, entry, row)
    assert [Demonstration.from_row(each) for each in loaded.dataset] == [Demonstration((USER,), "4")]


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="text without a prompt"):
        _load(tmp_path, {"type": "completion"}, {"text": "2+2?"})
    with pytest.raises(InputError, match="several data_files"):
        _load(tmp_path, {"data_files": ["a.jsonl", "b.jsonl"]}, {"text": "2+2?"})


def test_data_files_name_the_file(tmp_path: Path) -> None:
    entry = {"path": "json", "data_files": ["rows.jsonl"], "ds_type": "json"}
    assert preferences(_load(tmp_path, entry, {"prompt": "2+2?", **TWO})) == [PLAIN]
