"""What is trained on and what is held out is a function of the rows and the settings."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import load, pairs, unpaired, write
from tiebreak.data.load import LoadedPreferences
from tiebreak.data.preference import Demonstration
from tiebreak.data.preparing.gather import gather
from tiebreak.data.preparing.select import select
from tiebreak.errors import InputError
from tiebreak.recipe import DataSection


def _rows(counts: list[int]) -> list[dict[str, Any]]:
    return [
        {"prompt": f"prompt {i}", "chosen": f"yes {i} {j}", "rejected": f"no {i} {j}"}
        for i, count in enumerate(counts)
        for j in range(count)
    ]


def _prompts(dataset: Any) -> set[str]:
    return {json.dumps(row["prompt"]) for row in dataset}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=2, max_size=25), st.floats(0.01, 0.6), st.integers(0, 5), st.booleans())
def test_no_prompt_stands_on_both_sides_and_the_share_is_as_near_as_prompts_allow(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], fraction: float, seed: int, shuffle: bool
) -> None:
    loaded = load(write(tmp_path_factory.mktemp("select") / "data.jsonl", _rows(counts)))
    chosen = select(loaded, DataSection(eval_fraction=fraction, seed=seed, shuffle=shuffle))
    total = sum(counts)
    assert len(chosen.train) + len(chosen.held_out) == total
    assert chosen.report.train == len(chosen.train)
    assert chosen.report.held_out == len(chosen.held_out)
    assert not _prompts(chosen.train) & _prompts(chosen.held_out)
    assert len(chosen.held_out) >= 1
    assert len(chosen.train) >= 1
    assert abs(len(chosen.held_out) - fraction * total) <= max(counts)
    again = select(loaded, DataSection(eval_fraction=fraction, seed=seed, shuffle=shuffle))
    assert list(again.train) == list(chosen.train)
    assert list(again.held_out) == list(chosen.held_out)


def test_equal_completions_lengths_and_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        *pairs(6),
        pairs(1)[0],
        {"prompt": "same", "chosen": "x", "rejected": "x"},
        {"prompt": "short", "chosen": "y", "rejected": "a longer answer"},
        {"prompt": "long", "chosen": "z" * 500, "rejected": "a longer answer"},
        {"prompt": "question 1", "chosen": "a bad one to 1", "rejected": "a good answer to 1"},
    ]
    loaded = load(write(tmp_path / "data.jsonl", rows))
    report = select(loaded, DataSection(min_chars=2, max_chars=400, eval_fraction=0)).report
    assert report.dropped == {
        "equal completions": 1,
        "a completion shorter than data.min_chars": 1,
        "a completion longer than data.max_chars": 1,
        "exact duplicates": 1,
    }
    assert report.train == 7
    assert report.contradicting == 2
    kept = select(loaded, DataSection(duplicates="keep", eval_fraction=0)).report
    assert kept.train == 10


def test_a_limit_takes_the_first_pairs_and_after_a_shuffle_others(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(50)))
    plain = select(loaded, DataSection(limit=10, eval_fraction=0))
    assert [row["chosen"] for row in plain.train] == [f"a good answer to {i}" for i in range(10)]
    assert plain.report.dropped == {"past data.limit": 40}
    drawn = [
        [row["chosen"] for row in select(loaded, DataSection(limit=10, eval_fraction=0, shuffle=True, seed=seed)).train]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != [row["chosen"] for row in plain.train]


@pytest.mark.parametrize("limit", [1, 10, 39, 40, 500])
def test_a_limit_is_of_the_training_side_and_changes_nothing_of_what_is_held_out(limit: int, tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(50)))
    whole = select(loaded, DataSection(eval_fraction=0.2))
    limited = select(loaded, DataSection(eval_fraction=0.2, limit=limit))
    assert list(limited.held_out) == list(whole.held_out)
    assert limited.report.held_out == 10
    assert list(limited.train) == list(whole.train)[:limit]
    assert limited.report.dropped == ({"past data.limit": 40 - limit} if limit < 40 else {})


def test_another_seed_holds_out_other_prompts(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(100)))
    held = [_prompts(select(loaded, DataSection(eval_fraction=0.1, seed=seed)).held_out) for seed in (0, 1)]
    assert len(held[0]) == len(held[1]) == 10
    assert held[0] != held[1]


def test_the_fingerprint_tells_the_texts_and_not_the_place(tmp_path: Path) -> None:
    settings = DataSection(eval_fraction=0.2)
    prints = [
        select(load(write(tmp_path / name, rows)), settings).fingerprint
        for name, rows in (("a.jsonl", pairs(9)), ("b.csv", pairs(9)), ("c.jsonl", pairs(10)))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_one_prompt_alone_is_not_held_out(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", _rows([5])))
    chosen = select(loaded, DataSection(eval_fraction=0.5))
    assert (chosen.report.train, chosen.report.held_out) == (5, 0)


def test_nothing_left_to_train_on_says_why(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(3)))
    with pytest.raises(InputError, match=r"of 3 \(a completion shorter than data.min_chars: 3\)"):
        select(loaded, DataSection(min_chars=1000))


def test_contradictions_are_those_that_counting_by_hand_finds(tmp_path: Path) -> None:

    draw = random.Random(1)
    rows = [
        {"prompt": draw.choice("ab"), "chosen": chosen, "rejected": rejected}
        for chosen, rejected in (draw.sample("xyz", 2) for _ in range(60))
    ]
    loaded: LoadedPreferences = load(write(tmp_path / "data.jsonl", rows))
    report = select(loaded, DataSection(duplicates="keep", eval_fraction=0)).report
    seen = Counter((row["prompt"], row["chosen"], row["rejected"]) for row in rows)
    assert report.contradicting == sum((row["prompt"], row["rejected"], row["chosen"]) in seen for row in rows)
    assert select(loaded, DataSection(eval_fraction=0)).report.train == len(seen)


def test_demonstrations_are_selected_alike(tmp_path: Path) -> None:
    rows = [{"prompt": f"p {i}", "completion": f"answer {i}"} for i in range(20)]
    path = write(tmp_path / "data.jsonl", [*rows, rows[0], {"prompt": "p", "completion": "x"}])
    loaded, chosen = gather(DataSection(source=str(path), min_chars=2, eval_fraction=0.1), task="supervised")
    assert loaded.dataset.column_names == list(Demonstration.features())
    assert chosen.report.dropped == {"a completion shorter than data.min_chars": 1, "exact duplicates": 1}
    assert (chosen.report.train, chosen.report.held_out, chosen.report.contradicting) == (18, 2, 0)
    assert not _prompts(chosen.train) & _prompts(chosen.held_out)


def test_a_share_is_held_out_by_prompt(harmless: LoadedPreferences) -> None:
    chosen = select(harmless, DataSection(eval_fraction=0.05))
    assert (chosen.report.train, chosen.report.held_out) == (2193, 115)


def test_empty_answers_are_dropped_by_min_chars(harmless: LoadedPreferences) -> None:
    chosen = select(harmless, DataSection(min_chars=1, eval_fraction=0))
    assert chosen.report.train == 2304


ROW = st.tuples(st.integers(0, 12), st.sampled_from("xyz"), st.booleans())


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=2, max_size=40), st.integers(0, 3))
def test_no_prompt_of_an_answer_stands_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, str, bool]], seed: int
) -> None:
    rows = [{"prompt": f"p {i}", "completion": text, "label": label} for i, text, label in drawn]
    path = write(tmp_path_factory.mktemp("unpaired") / "data.jsonl", rows)
    chosen = select(unpaired(path), DataSection(eval_fraction=0.3, seed=seed))
    sides = [{row["prompt"][0]["content"] for row in side} for side in (chosen.train, chosen.held_out)]
    assert not sides[0] & sides[1]
    assert len(chosen.train) + len(chosen.held_out) == len(set(drawn))
    report = chosen.report
    assert report.labels == {
        "good": sum(row["label"] for row in chosen.train),
        "bad": sum(not row["label"] for row in chosen.train),
    }
    seen = Counter((row["prompt"][0]["content"], row["completion"]) for row in chosen.train)
    assert report.contradicting == sum(count for count in seen.values() if count == 2)


def test_repeated_answers_are_dropped_and_contradictory_labels_counted(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2?", "completion": text, "label": label} for text, label in (("4", 1), ("4", 1), ("4", 0))]
    loaded, chosen = gather(
        DataSection(source=str(write(tmp_path / "data.jsonl", rows)), eval_fraction=0), task="unpaired"
    )
    assert loaded.task == "unpaired"
    assert chosen.report.dropped == {"exact duplicates": 1}
    assert (chosen.report.train, chosen.report.contradicting) == (2, 2)
    assert chosen.report.to_json()["labels"] == {"good": 1, "bad": 1}
    flipped = [{**row, "label": not row["label"]} for row in rows]
    other = select(unpaired(write(tmp_path / "flipped.jsonl", flipped)), DataSection(eval_fraction=0))
    assert other.fingerprint != chosen.fingerprint
