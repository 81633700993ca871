"""Text as token ids, within limits."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from transformers import PreTrainedTokenizerBase

from tests.data.preparing.made import TURNS, USER, marked_tokenizer, tokenized
from tests.training.small import word_tokenizer
from tiebreak.data.preference import Preference
from tiebreak.data.preparing.encode import EncodedRow, Fitting, Limits, column_of_ids, encode_prompts, is_separable
from tiebreak.data.preparing.templates import Renderer


def test_a_pair_that_is_too_long_is_dropped_and_counted() -> None:
    found = tokenized(Preference(USER, "t5 " * 20, "t7"), Preference(USER, "t5", "t7"), total=12)
    assert len(found.dataset) == 1
    assert found.dataset[0]["row"] == 1
    assert found.counts == {"too long": 1}


def test_trimming_the_prompt_drops_the_oldest_turns_and_keeps_the_system() -> None:
    whole = tokenized(Preference(TURNS, "t5", "t7")).dataset[0]["prompt_ids"]
    found = tokenized(Preference(TURNS, "t5", "t7"), total=len(whole), too_long="trim_prompt")
    assert found.dataset[0]["prompt_ids"] != whole
    text = word_tokenizer().decode(found.dataset[0]["prompt_ids"])
    assert "t9" in text
    assert "t14" in text
    assert "t12" not in text
    assert found.counts == {"prompt trimmed": 1}


def test_trimming_the_completions_leaves_no_end_of_sequence() -> None:
    found = tokenized(Preference(USER, "t5 " * 20, "t7"), completion=4, too_long="trim_completion")
    assert found.dataset[0]["chosen_ids"] == [5, 5, 5, 5]
    assert found.dataset[0]["rejected_ids"] == [7, 2]
    assert found.counts == {"completion trimmed": 1}


def test_completions_that_become_equal_by_trimming_are_dropped() -> None:
    pair = Preference(USER, "t5 t5 t5 t6", "t5 t5 t5 t7")
    found = tokenized(pair, completion=3, too_long="trim_completion")
    assert len(found.dataset) == 0
    assert found.counts == {"equal after trimming": 1}


@pytest.mark.parametrize(
    ("prompt", "chosen", "limits", "shorter", "cut", "note"),
    [
        (20, 20, {"total": 10}, 5, 5, "prompt and completion trimmed"),
        (20, 20, {"total": 11}, 5, 6, "prompt and completion trimmed"),
        (3, 20, {"total": 10}, 3, 7, "completion trimmed"),  # what the prompt does not need
        (20, 2, {"total": 10}, 7, 3, "prompt trimmed"),  # with the end-of-sequence token
        (20, 20, {"prompt": 4, "completion": 6}, 4, 6, "prompt and completion trimmed"),
        (20, 20, {"total": 8, "prompt": 2, "completion": 100}, 2, 6, "prompt and completion trimmed"),
        (20, 20, {"total": 40, "completion": 6}, 20, 6, "completion trimmed"),
        (20, 20, {"total": 100, "prompt": 128, "completion": 128}, 20, 21, None),
    ],
)
def test_trim_cuts_prompts_from_their_beginning_and_completions_from_their_end(
    prompt: int, chosen: int, limits: dict[str, int], shorter: int, cut: int, note: str | None
) -> None:
    fitting = Fitting(Limits(too_long="trim", **limits), Renderer(word_tokenizer(), "chat"))
    ids, better, worse = list(range(prompt)), [*range(100, 100 + chosen), 2], [200, 2]
    found, said = fitting.fit(EncodedRow(ids, (better, worse), ([1] * len(better), [1, 1])), ())
    assert found == EncodedRow(ids[-shorter:], (better[:cut], worse), ([1] * cut, [1, 1]))
    assert said == note


def test_trim_uses_every_pair_whose_completions_begin_otherwise() -> None:
    apart, alike = Preference(USER, "t5 " * 20, "t7 " * 9), Preference(USER, "t5 " * 20 + "t6", "t5 " * 20 + "t7")
    (row,) = tokenized(apart, alike, total=8, too_long="trim").dataset
    room = 8 - len(row["prompt_ids"])
    assert (row["chosen_ids"], row["rejected_ids"]) == ([5] * room, [7] * room)
    counts = tokenized(apart, alike, total=8, too_long="trim").counts
    assert counts == {"completion trimmed": 1, "equal after trimming": 1}


def test_a_byte_level_tokenizer_is_separable(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    assert is_separable(chat_tokenizer)


def test_ids_are_those_of_calling_the_tokenizer(chat_tokenizer: PreTrainedTokenizerBase) -> None:
    for tokenizer in (word_tokenizer(), marked_tokenizer(), chat_tokenizer):
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


def test_a_column_of_ids_is_what_arrow_makes_of_lists() -> None:
    tables: list[list[list[int]]] = [[[1, 2], [], [50256]], [], [[]]]
    for rows in tables:
        assert column_of_ids(rows).equals(pa.array(rows, pa.list_(pa.int32())))
