"""Token ids: what training sees is what generation continues, and nothing is cut or left out unsaid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tests.data.files import load, write
from tests.training.small import word_tokenizer
from tiebreak.bundled import base_model_path
from tiebreak.data import render
from tiebreak.data.encode import column_of_ids, encode_prompts, is_separable
from tiebreak.data.preference import Message, Preference
from tiebreak.data.render import choose_template, ending_text, prompt_text
from tiebreak.data.tokenize import Limits, tokenize_preferences
from tiebreak.errors import InputError
from tiebreak.files import cache_folder
from tiebreak.models.load import load_tokenizer

USER = (Message("user", "t10 t11"),)
TURNS = (
    Message("system", "t9"),
    Message("user", "t10 t11 t12"),
    Message("assistant", "t13"),
    Message("user", "t14"),
)


def _dataset(*rows: Preference) -> Dataset:
    return Dataset.from_list([row.to_row() for row in rows])


def _tokenized(*rows: Preference, **limits: Any) -> Any:
    return tokenize_preferences(_dataset(*rows), word_tokenizer(), template="transcript", limits=Limits(**limits))


@pytest.fixture(scope="module")
def chat_tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(str(base_model_path()))


def test_endings_are_closed_by_the_end_of_the_sequence() -> None:
    row = _tokenized(Preference(USER, "t5 t6", "t7")).dataset[0]
    assert row["chosen_ids"] == [5, 6, 2]
    assert row["rejected_ids"] == [7, 2]
    assert row["row"] == 0


def test_a_pair_that_is_too_long_is_left_out_and_counted() -> None:
    found = _tokenized(Preference(USER, "t5 " * 20, "t7"), Preference(USER, "t5", "t7"), total=12)
    assert len(found.dataset) == 1
    assert found.dataset[0]["row"] == 1
    assert found.counts == {"too long": 1}


def test_trimming_the_prompt_drops_the_oldest_turns_and_keeps_the_system() -> None:
    whole = _tokenized(Preference(TURNS, "t5", "t7")).dataset[0]["prompt_ids"]
    found = _tokenized(Preference(TURNS, "t5", "t7"), total=len(whole), too_long="trim_prompt")
    assert found.dataset[0]["prompt_ids"] != whole
    text = word_tokenizer().decode(found.dataset[0]["prompt_ids"])
    assert "t9" in text
    assert "t14" in text
    assert "t12" not in text
    assert found.counts == {"prompt trimmed": 1}


def test_trimming_the_endings_leaves_no_end_of_sequence() -> None:
    found = _tokenized(Preference(USER, "t5 " * 20, "t7"), completion=4, too_long="trim_completion")
    assert found.dataset[0]["chosen_ids"] == [5, 5, 5, 5]
    assert found.dataset[0]["rejected_ids"] == [7, 2]
    assert found.counts == {"completion trimmed": 1}


def test_endings_that_become_equal_by_trimming_are_left_out() -> None:
    pair = Preference(USER, "t5 t5 t5 t6", "t5 t5 t5 t7")
    found = _tokenized(pair, completion=3, too_long="trim_completion")
    assert len(found.dataset) == 0
    assert found.counts == {"equal after trimming": 1}


def test_nothing_held_out_is_no_error() -> None:
    pairs = _dataset(Preference(USER, "t5", "t7")).select([])
    found = tokenize_preferences(pairs, word_tokenizer(), template="transcript")
    assert len(found.dataset) == 0
    assert found.dataset["row"][:] == []


def test_a_tokenizer_without_an_end_of_sequence_is_refused() -> None:
    tokenizer = word_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence token"):
        tokenize_preferences(_dataset(Preference(USER, "t5", "t7")), tokenizer, template="transcript")


def test_a_chat_template_is_used_where_there_is_one(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    assert choose_template(chat_tokenizer) == "chat"
    assert choose_template(chat_tokenizer, "transcript") == "transcript"
    assert choose_template(word_tokenizer()) == "transcript"
    with pytest.raises(InputError, match="no chat template"):
        choose_template(word_tokenizer(), "chat")


@given(question=st.text(min_size=1, max_size=40), answer=st.text(max_size=40))
def test_prompt_and_ending_spell_the_templates_conversation(
    chat_tokenizer: PreTrainedTokenizerBase, question: str, answer: str
) -> None:
    turns = (Message("user", question),)
    prompt = prompt_text(turns, chat_tokenizer, "chat")
    ending = ending_text(turns, answer, chat_tokenizer, "chat")
    whole = str(
        chat_tokenizer.apply_chat_template(
            [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], tokenize=False
        )
    )
    assert (prompt + ending + str(chat_tokenizer.eos_token)) == whole.rstrip("\n") or whole.startswith(prompt + ending)


def test_training_and_generation_see_the_same_prompt(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    row = tokenize_preferences(_dataset(Preference(TURNS, "yes", "no")), chat_tokenizer, template="chat").dataset[0]
    text = prompt_text(TURNS, chat_tokenizer, "chat")
    assert encode_prompts(chat_tokenizer, [text], "chat")[0] == row["prompt_ids"]


def test_a_byte_level_tokenizer_is_separable(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    assert is_separable(chat_tokenizer)


def test_a_conversation_that_the_template_refuses_is_left_out_by_name(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    monkeypatch.setattr(chat_tokenizer, "chat_template", strict + str(chat_tokenizer.chat_template))
    rows = _dataset(Preference(TURNS, "yes", "no"), Preference(USER, "yes", "no"))
    found = tokenize_preferences(rows, chat_tokenizer, template="chat")
    assert found.dataset["row"][:] == [1]
    assert found.counts == {"the chat template refuses its turns": 1}


def test_an_ending_may_speak_of_the_end_of_the_sequence(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    said = f"the token {chat_tokenizer.eos_token} ends a turn"
    assert ending_text(USER, said, chat_tokenizer, "chat") == said


def _marked_tokenizer() -> PreTrainedTokenizerFast:
    """Begins and ends every text with a mark, cuts long ones and pads short ones, unless it is told not to."""
    words = {"<s>": 0, "</s>": 1, "<unk>": 2, "\u2581": 3, "a": 4, "b": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split("\u2581", "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def test_ids_are_those_of_calling_the_tokenizer(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    for tokenizer in (word_tokenizer(), _marked_tokenizer(), chat_tokenizer):
        texts = ["t3 t4", "a b", "a b a b a b <s> a", "", " \n"]
        found = encode_prompts(tokenizer, texts, "chat")
        again = encode_prompts(_Called(tokenizer), texts, "chat")  # type: ignore[arg-type]
        assert found == again == tokenizer(texts, add_special_tokens=False)["input_ids"]


class _Called:
    """A tokenizer of which nothing is known but that it can be called."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def __call__(self, *texts: Any, **settings: Any) -> Any:
        return self.tokenizer(*texts, **settings)


def test_a_tokenizer_that_marks_texts_gives_prompt_and_ending_as_one() -> None:
    found = tokenize_preferences(_dataset(Preference(USER, "a b", "b")), _marked_tokenizer(), template="transcript")
    row = found.dataset[0]
    assert row["prompt_ids"][0] == 0
    assert row["prompt_ids"].count(0) == 1
    assert row["chosen_ids"] == [3, 4, 3, 5, 1]
    assert row["rejected_ids"] == [3, 5, 1]


def _many(count: int) -> list[Preference]:
    return [Preference((Message("user", f"t{3 + i % 50}"),), f"t{3 + i % 7} " * (i % 5), "t7") for i in range(count)]


def test_ids_do_not_depend_on_how_rows_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _tokenized(*_many(97), total=7)
    monkeypatch.setattr(render, "_BYTES_A_PART", 100)
    done: list[int] = []
    again = tokenize_preferences(
        _dataset(*_many(97)), word_tokenizer(), template="transcript", limits=Limits(total=7), progress=done.append
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
    for dataset in (_dataset(*_many(97)), load(path, schema="tiebreak").dataset):
        whole = tokenize_preferences(dataset, word_tokenizer(), template="transcript").dataset
        some = tokenize_preferences(dataset.select(rows), word_tokenizer(), template="transcript").dataset
        assert some["row"][:] == list(range(len(rows)))
        assert some.remove_columns("row")[:] == whole.select(rows).remove_columns("row")[:]


def test_ids_that_are_kept_are_found_again_with_their_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def ids(key: str | None) -> Any:
        rows = _dataset(*_many(30), Preference(USER, "t5 " * 20, "t7"))
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

    rows = _dataset(*_many(10))
    with pytest.raises(KeyboardInterrupt):
        tokenize_preferences(rows, word_tokenizer(), template="transcript", key="stopped", progress=stop)
    folder = cache_folder() / "tokens"
    assert not list(folder.glob(".*.draft"))
    done: list[int] = []
    found = tokenize_preferences(rows, word_tokenizer(), template="transcript", key="stopped", progress=done.append)
    assert done == [10]
    assert len(found.dataset) == 10


def test_a_prompt_is_rendered_once_for_all_its_endings(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    apply = render._apply

    def counted(*args: Any, add_generation_prompt: bool) -> str:
        calls.append(add_generation_prompt)
        return apply(*args, add_generation_prompt=add_generation_prompt)

    monkeypatch.setattr(render, "_apply", counted)
    tokenize_preferences(_dataset(Preference(TURNS, "yes", "no")), chat_tokenizer, template="chat")
    assert sorted(calls) == [False, False, True]


def test_acolumn_of_ids_is_what_arrow_makes_of_lists() -> None:
    for rows in ([[1, 2], [], [50256]], [], [[]]):
        assert column_of_ids(rows).equals(pa.array(rows, pa.list_(pa.int32())))


@pytest.mark.parametrize(
    ("template", "date"),
    [
        (
            "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}",
            "26 Jul 2024",
        ),
        ("{%- set date_string = strftime_now('%Y-%m-%d') %}", "2024-07-26"),
        ("{%- macro day() -%}{{ strftime_now('%A, %-d %B %y') }}{%- endmacro %}{% set date_string = day() %}", None),
    ],
)
def test_a_template_that_asks_for_todays_date_is_told_the_same_one_every_day(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, template: str, date: str | None
) -> None:
    monkeypatch.setattr(chat_tokenizer, "chat_template", f"  {template}Today is {{{{ date_string }}}}.\n")
    assert prompt_text(USER, chat_tokenizer, "chat").strip() == f"Today is {date or 'Friday, 26 July 24'}."


@pytest.mark.parametrize("start", ["", "\n", "  ", " \n {% if true %}x{% endif %}\n", "{%- if true %}\nx{% endif %}"])
def test_a_standing_calendar_changes_nothing_else_of_a_template(
    chat_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    template = (
        start + "{% for message in messages %}\n{{ message.content }}\n{% endfor %}{% if strftime_now %}{% endif %}"
    )
    monkeypatch.setattr(chat_tokenizer, "chat_template", template)
    as_it_is = chat_tokenizer.apply_chat_template([{"role": "user", "content": "t10 t11"}], tokenize=False)
    assert prompt_text(USER, chat_tokenizer, "chat") == as_it_is
