"""Transcripts, of the published data too; ChatML; messages with calls of tools."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.data.files import load, preferences, write
from tiebreak.data.forms.conversation import chatml, turns
from tiebreak.data.load import LoadedPreferences


def test_the_harmless_test_split_makes_2308_pairs_and_names_the_four_dropped(harmless: LoadedPreferences) -> None:
    assert harmless.recognition.schema == "transcript"
    assert harmless.report.rows == 2312
    assert harmless.report.pairs == len(harmless.dataset) == 2308
    (tally,) = harmless.report.dropped.values()
    assert tally.count == 4
    assert [where.rpartition(":")[2] for where in tally.examples] == ["1255", "1689", "1953", "2037"]
    (empty,) = harmless.report.notes.values()
    assert [where.rpartition(":")[2] for where in empty.examples] == ["87", "517", "926", "1104"]


def test_every_prompt_ends_with_the_human(harmless: LoadedPreferences) -> None:
    assert all(row["prompt"][-1]["role"] == "user" for row in harmless.dataset)


def test_an_empty_answer_of_a_transcript_is_kept_and_noted(tmp_path: Path) -> None:
    row = {"chosen": "\n\nHuman: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: y"}
    loaded = load(write(tmp_path / "data.jsonl", [row]))
    assert preferences(loaded)[0].chosen == ""
    assert [tally.count for tally in loaded.report.notes.values()] == [1]
    assert preferences(load(write(tmp_path / "again.jsonl", [preferences(loaded)[0].to_row()])))[0].chosen == ""


def test_published_transcripts_are_rendered_again_byte_for_byte(shared_data: Path, harmless: LoadedPreferences) -> None:
    with gzip.open(shared_data / "hh-rlhf" / "harmless-base-test.jsonl.gz", "rt", encoding="utf-8") as file:
        published = {row["chosen"] for row in map(json.loads, file)}
    speaker = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: ", "system": ""}
    again = sum(
        "".join(speaker[turn["role"]] + turn["content"] for turn in row["prompt"]) + f"\n\nAssistant: {row['chosen']}"
        in published
        for row in harmless.dataset
    )
    assert again >= 2295  # the others have no blank after a colon, which the notation has


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("<|im_start|>user\na\n<|im_end|>\n<|im_start|>assistant\n", [("user", "a\n")]),
        ("<|im_start|>system\ns<|im_end|>\n<|im_start|>user\n a<|im_end|>", [("system", "s"), ("user", " a")]),
        ("said: <|im_start|>user\na<|im_end|>", None),
        ("<|im_start|>wizard\na<|im_end|>", None),
        ("<|im_start|>user\na<|im_end|> and more", None),
        ("plain", None),
    ],
)
def test_text_is_chatml_from_its_first_character_to_its_last_or_not_at_all(
    text: str, turns: list[tuple[str, str]] | None
) -> None:
    found = chatml(text)
    assert (None if found is None else [(turn.role, turn.content) for turn in found]) == turns


CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}


def test_calls_results_and_thoughts_stay_with_their_turns() -> None:
    spoken = turns(
        [
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "4", "tool_call_id": "c", "name": "add"},
            {"role": "assistant", "content": "4", "reasoning_content": "easy"},
        ],
        "messages",
    )
    assert [turn.role for turn in spoken] == ["user", "assistant", "tool", "assistant"]
    assert (spoken[1].content, json.loads(spoken[1].tool_calls or "")[0]["function"]["name"]) == ("", "add")
    assert (spoken[2].tool_call_id, spoken[2].name, spoken[3].reasoning_content) == ("c", "add", "easy")


def test_calls_of_sharegpt_are_turns_of_their_own() -> None:
    spoken = turns(
        [{"from": "function_call", "value": '{"name": "add", "arguments": {}}'}, {"from": "observation", "value": "4"}],
        "conversations",
    )
    assert [turn.role for turn in spoken] == ["assistant", "tool"]
    assert "add" in (spoken[0].tool_calls or "")


def test_completions_that_part_early_keep_their_turns(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "2+2?"}]
    long = [{"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "tool", "content": "4"}]
    row = {
        "prompt": asked,
        "chosen": [*long, {"role": "assistant", "content": "4"}],
        "rejected": [{"role": "assistant", "content": "5"}],
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}],
    }
    (pair,) = preferences(load(write(tmp_path / "data.jsonl", [row])))
    assert [turn.role for turn in pair.chosen_turns] == ["assistant", "tool", "assistant"]
    assert (pair.rejected, pair.rejected_turns, len(pair.prompt)) == ("5", (), 1)
    assert json.loads(pair.tools or "")[0]["function"]["name"] == "add"
    again = preferences(load(write(tmp_path / "again.jsonl", [pair.to_row()])))
    assert again == [pair]
    shared = {**row, "rejected": [*long, {"role": "assistant", "content": "5"}]}
    (pair,) = preferences(load(write(tmp_path / "shared.jsonl", [shared])))
    assert ([turn.role for turn in pair.prompt], pair.chosen, pair.rejected) == (
        ["user", "assistant", "tool"],
        "4",
        "5",
    )
