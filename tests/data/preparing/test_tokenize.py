"""Token ids: what training sees is what generation continues, and nothing is cut or dropped unsaid."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from tests.data.files import load, write
from tests.data.preparing.chat_templates import R1, tokenizer_for
from tests.data.preparing.made import TURNS, USER, canonical, marked_tokenizer, tokenized
from tests.training.small import word_tokenizer
from tiebreak.data.load import load_preferences
from tiebreak.data.preference import Message, Preference, completion_of
from tiebreak.data.preparing import render_rows, templates
from tiebreak.data.preparing.encode import Limits, encode_prompts
from tiebreak.data.preparing.templates import Renderer, prompt_text
from tiebreak.data.preparing.tokenize import tokenize_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.files import cache_folder


def test_completions_are_closed_by_the_end_of_the_sequence() -> None:
    row = tokenized(Preference(USER, "t5 t6", "t7")).dataset[0]
    assert row["chosen_ids"] == [5, 6, 2]
    assert row["rejected_ids"] == [7, 2]
    assert row["row"] == 0


def test_nothing_held_out_is_no_error() -> None:
    pairs = canonical(Preference(USER, "t5", "t7")).select([])
    found = tokenize_preferences(pairs, word_tokenizer(), template="transcript")
    assert len(found.dataset) == 0
    assert found.dataset["row"][:] == []


def test_a_tokenizer_without_an_end_of_sequence_is_refused() -> None:
    tokenizer = word_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence token"):
        tokenize_preferences(canonical(Preference(USER, "t5", "t7")), tokenizer, template="transcript")


def test_training_and_generation_see_the_same_prompt(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    row = tokenize_preferences(canonical(Preference(TURNS, "yes", "no")), chat_tokenizer, template="chat").dataset[0]
    text = prompt_text(TURNS, chat_tokenizer, "chat")
    assert encode_prompts(chat_tokenizer, [text], "chat")[0] == row["prompt_ids"]


def test_a_conversation_that_the_template_refuses_is_dropped_by_name(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    monkeypatch.setattr(chat_tokenizer, "chat_template", strict + str(chat_tokenizer.chat_template))
    rows = canonical(Preference(TURNS, "yes", "no"), Preference(USER, "yes", "no"))
    found = tokenize_preferences(rows, chat_tokenizer, template="chat")
    assert found.dataset["row"][:] == [1]
    assert found.counts == {"the chat template refuses its turns (no system)": 1}
    assert found.examples == {"the chat template refuses its turns (no system)": ("row 1",)}


def test_a_tokenizer_that_marks_texts_gives_prompt_and_completion_as_one() -> None:
    found = tokenize_preferences(canonical(Preference(USER, "a b", "b")), marked_tokenizer(), template="transcript")
    row = found.dataset[0]
    assert row["prompt_ids"][0] == 0
    assert row["prompt_ids"].count(0) == 1
    assert row["chosen_ids"] == [3, 4, 3, 5, 1]
    assert row["rejected_ids"] == [3, 5, 1]


def _many(count: int) -> list[Preference]:
    return [Preference((Message("user", f"t{3 + i % 50}"),), f"t{3 + i % 7} " * (i % 5), "t7") for i in range(count)]


def test_ids_do_not_depend_on_how_rows_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tokenized(*_many(97), total=7)
    monkeypatch.setattr(render_rows, "_BYTES_A_PART", 100)
    done: list[int] = []
    again = tokenize_preferences(
        canonical(*_many(97)), word_tokenizer(), template="transcript", limits=Limits(total=7), progress=done.append
    )
    assert again.dataset[:] == whole.dataset[:]
    assert again.counts == whole.counts
    assert whole.counts["too long"] > 0
    assert len(done) > 10
    assert done == sorted(done)
    assert done[-1] == 97


@pytest.mark.parametrize("rows", [range(10, 30), [1, 4, 5, 90], [7, 3, 96, 0], [], range(97)])
def test_ids_of_a_selection_are_those_of_its_rows_in_its_order(rows: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [row.to_row() for row in _many(97)])
    for dataset in (canonical(*_many(97)), load(path, schema="tiebreak").dataset):
        whole = tokenize_preferences(dataset, word_tokenizer(), template="transcript").dataset
        some = tokenize_preferences(dataset.select(rows), word_tokenizer(), template="transcript").dataset
        assert some["row"][:] == list(range(len(rows)))
        assert some.remove_columns("row")[:] == whole.select(rows).remove_columns("row")[:]


def test_ids_that_are_kept_are_found_again_with_their_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def ids(key: str | None) -> Any:
        rows = canonical(*_many(30), Preference(USER, "t5 " * 20, "t7"))
        return tokenize_preferences(
            rows, word_tokenizer(), template="transcript", limits=Limits(total=7), key=key, progress=done.append
        )

    done: list[int] = []
    first = ids("kept")
    assert done
    done.clear()
    again, other = ids("kept"), ids(None)
    assert again.dataset._fingerprint == first.dataset._fingerprint
    assert len(done) == 1  # of the one that is not kept
    assert first.dataset[:] == again.dataset[:] == other.dataset[:]
    assert first.counts == again.counts == other.counts
    assert first.counts["too long"] > 0


def test_ids_that_were_not_written_to_the_end_are_not_kept() -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    rows = canonical(*_many(10))
    with pytest.raises(KeyboardInterrupt):
        tokenize_preferences(rows, word_tokenizer(), template="transcript", key="stopped", progress=stop)
    folder = cache_folder() / "tokens"
    assert not list(folder.glob(".*.draft"))
    done: list[int] = []
    found = tokenize_preferences(rows, word_tokenizer(), template="transcript", key="stopped", progress=done.append)
    assert done == [10]
    assert len(found.dataset) == 10


def test_a_prompt_is_rendered_once_for_all_its_completions(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    apply = templates._apply

    def counted(*args: Any, add_generation_prompt: bool) -> str:
        calls.append(add_generation_prompt)
        return apply(*args, add_generation_prompt=add_generation_prompt)

    monkeypatch.setattr(templates, "_apply", counted)
    rows = [Preference(TURNS, "yes", "no"), Preference(TURNS, "a", "b")]
    tokenize_preferences(canonical(*rows), chat_tokenizer, template="chat")
    once = [False]  # what closes an answer is found out once for all rows of the same roles
    assert sorted(calls) == sorted([*once, *[False, False, True] * 2])


# Digests of the ids of the bundled held-out pairs, as they were before special tokens were told from text.
_BUNDLED = {
    "chat": "aee06b00f16fd0687c3744b8644dd3e94af30c20a9c17efefd05bf369f597e66",
    "transcript": "42f686a84bb24a702658636512b1c8fa4cd32dce8778e68bc637ed654a462e71",
}


@pytest.mark.parametrize("template", ["chat", "transcript"])
@pytest.mark.parametrize("special_tokens", ["text", "parse"])
def test_ids_of_ordinary_rows_stay_what_they_were(
    chat_tokenizer: PreTrainedTokenizerBase, template: Any, special_tokens: Any
) -> None:
    pairs = load_preferences(SourceSpec("bundled:preferences", split="held_out")).dataset
    found = tokenize_preferences(pairs, chat_tokenizer, template=template, special_tokens=special_tokens)
    digest = hashlib.sha256()
    for row in found.dataset:
        ids = [row["prompt_ids"], row["chosen_ids"], row["rejected_ids"], row["row"]]
        digest.update(json.dumps(ids).encode())
        assert row["chosen_scored"] == row["rejected_scored"] == []
    assert digest.hexdigest() == _BUNDLED[template]
    assert (found.counts, found.notes) == ({}, {})


SEVERAL = (Message("assistant", "Blue."), Message("user", "Sure?"), Message("assistant", "Quite."))


@pytest.mark.parametrize("template", ["chat", "transcript"])
@pytest.mark.parametrize("score_turns", ["all", "last"])
def test_of_several_turns_the_assistants_are_scored(
    chat_tokenizer: PreTrainedTokenizerBase, template: Any, score_turns: Any
) -> None:
    text, turns = completion_of(SEVERAL)
    rows = canonical(Preference(USER, text, "No.", chosen_turns=turns), Preference(USER, "Yes.", "No."))
    found = tokenize_preferences(rows, chat_tokenizer, template=template, score_turns=score_turns).dataset
    ids, marks = found[0]["chosen_ids"], found[0]["chosen_scored"]
    said = chat_tokenizer.decode([id_ for id_, mark in zip(ids, marks, strict=True) if mark])
    end = "<|im_end|>" if template == "chat" else ""
    lead = " " if template == "transcript" else ""
    assert said == (f"{lead}Blue.{end}" if score_turns == "all" else "") + f"{lead}Quite.<|im_end|>"
    assert found[0]["rejected_scored"] == found[1]["chosen_scored"] == found[1]["rejected_scored"] == []
    whole = Renderer(chat_tokenizer, template).whole((*USER, *SEVERAL)).rstrip("\n").removesuffix("<|im_end|>")
    assert chat_tokenizer.decode(found[0]["prompt_ids"] + ids) == whole + "<|im_end|>"


def test_a_completion_is_cut_with_its_marks() -> None:
    text, turns = completion_of([Message(turn.role, f"t{5 + i}") for i, turn in enumerate(SEVERAL)])
    pair = Preference(USER, text, "t9 t9 t9 t9 t9 t9", chosen_turns=turns)
    whole = tokenized(pair).dataset[0]
    assert whole["chosen_scored"] == [1, 0, 0, 0, 1, 1]
    cut = tokenized(pair, completion=3, too_long="trim_completion")
    assert (cut.dataset[0]["chosen_ids"], cut.dataset[0]["chosen_scored"]) == (whole["chosen_ids"][:3], [1, 0, 0])
    last = tokenize_preferences(
        canonical(pair),
        word_tokenizer(),
        template="transcript",
        limits=Limits(completion=3, too_long="trim_completion"),
        score_turns="last",
    )
    assert (len(last.dataset), last.counts) == (0, {"nothing to score after trimming": 1})


def test_a_shorter_prompt_ends_where_the_whole_one_does() -> None:
    tokenizer = tokenizer_for(R1)
    turns = (Message("user", "a" * 30), Message("assistant", "b"), Message("user", "c"))
    limits = Limits(total=20, too_long="trim_prompt")
    found = tokenize_preferences(canonical(Preference(turns, "d", "e")), tokenizer, template="chat", limits=limits)
    assert tokenizer.decode(found.dataset[0]["prompt_ids"]) == "<s><|User|>c<|Assistant|>"
    assert found.counts == {"prompt trimmed": 1}
    assert sum(found.notes.values()) == 1
    assert all("opens a thought" in note for note in found.notes)


def test_rows_with_tools_are_dropped_by_name_where_a_template_has_none(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    tools = '[{"type": "function", "function": {"name": "f"}}]'
    rows = canonical(Preference(USER, "a", "b", tools=tools, id="with"), Preference(USER, "a", "b"))
    found = tokenize_preferences(rows, chat_tokenizer, template="chat", key="tools")
    assert found.counts == {"the model's chat template has no tools": 1}
    assert found.examples == {"the model's chat template has no tools": ("with",)}
    again = tokenize_preferences(rows, chat_tokenizer, template="chat", key="tools")
    assert (again.counts, again.examples) == (found.counts, found.examples)
