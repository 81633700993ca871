"""What a profile counts."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.files import load, pairs, write
from tiebreak.data.load import load_preferences
from tiebreak.data.preparing.gather import split_beside
from tiebreak.data.profile.measure import _edges, _histogram, profile

ROWS = [
    *pairs(5),
    pairs(1)[0],
    {"prompt": "question 1", "chosen": "a bad one to 1", "rejected": "a good answer to 1"},
    {"prompt": "same", "chosen": "x", "rejected": "x"},
    {"prompt": "<script>alert(1)</script> & «more»", "chosen": "</div><b>", "rejected": 'quote " and \x1b[31m red'},
]


def test_a_profile_counts_what_can_be_counted_by_hand(tmp_path: Path) -> None:
    result = profile(load(write(tmp_path / "data.jsonl", ROWS)))
    assert (result.schema, result.rows, result.pairs, result.prompts) == ("text", 9, 9, 7)
    assert (result.duplicates, result.equal_completions, result.contradicting) == (1, 1, 2)
    assert (result.chosen_longer, result.rejected_longer, result.same_length) == (6, 2, 1)
    assert result.longer_is_chosen == 0.75
    assert (result.unit, result.over_max_length, result.held_out) == ("characters", None, None)
    lengths = result.lengths["chosen"]
    by_hand = sorted(len(row["chosen"]) for row in ROWS)
    assert (lengths.minimum, lengths.median, lengths.maximum) == (by_hand[0], by_hand[4], by_hand[-1])
    assert sum(lengths.histogram.counts) == 9
    assert len(result.samples) == 3


def test_the_same_seed_shows_the_same_samples(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(100)))
    shown = [[sample.row for sample in profile(loaded, seed=seed).samples] for seed in (0, 0, 1)]
    assert shown[0] == shown[1] != shown[2]


def test_prompts_in_common_with_the_split_beside_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [*pairs(10), *pairs(1)])
    write(tmp_path / "test.jsonl", pairs(3))
    loaded = load(tmp_path)
    beside = split_beside(loaded)
    assert beside is not None
    assert beside.split == "test"
    result = profile(loaded, held_out=load_preferences(beside))
    assert result.held_out is not None
    assert dataclasses.astuple(result.held_out)[1:] == (3, 3, 4)


def test_lengths_are_in_tokens_where_a_tokenizer_is_given(tmp_path: Path, shared_data: Path) -> None:
    from transformers import GPT2Tokenizer

    folder = shared_data / "gpt2-tokenizer"
    tokenizer = GPT2Tokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    loaded = load(write(tmp_path / "data.jsonl", [{"prompt": "one", "chosen": "two three", "rejected": "four"}]))
    result = profile(loaded, tokenizer=tokenizer, tokenizer_name="gpt2", max_length=8)
    assert result.unit == "tokens"
    assert result.lengths["chosen"].maximum == 3  # two words and the end of the sequence
    assert result.lengths["rejected"].maximum == 2
    assert result.over_max_length == int(result.lengths["whole"].maximum > 8)


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=60))
def test_a_histogram_holds_every_value_once(values: list[int]) -> None:
    column = np.array(values, np.int64)
    edges = _edges(column)
    histogram = _histogram(column, edges)
    assert sum(histogram.counts) == len(values)
    assert len(histogram.edges) == len(histogram.counts) + 1 <= 40
    assert histogram.open_ended == (max(values) >= histogram.edges[-1])


def test_a_profile_is_plain_json(tmp_path: Path) -> None:
    found = json.loads(json.dumps(profile(load(write(tmp_path / "data.jsonl", ROWS))).to_json()))
    assert found["pairs"] == 9
    assert found["longer_is_chosen"] == pytest.approx(0.75)
    assert found["lengths"]["prompt"]["histogram"]["counts"]
