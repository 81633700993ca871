from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import load, pairs, write
from tiebreak.data.gather import gather, held_out_source
from tiebreak.data.load import LoadedPreferences
from tiebreak.data.select import select
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


def test_equal_endings_lengths_and_duplicates_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        *pairs(6),
        pairs(1)[0],
        {"prompt": "same", "chosen": "x", "rejected": " x "},
        {"prompt": "short", "chosen": "y", "rejected": "a longer answer"},
        {"prompt": "long", "chosen": "z" * 500, "rejected": "a longer answer"},
        {"prompt": "question 1", "chosen": "a bad one to 1", "rejected": "a good answer to 1"},
    ]
    loaded = load(write(tmp_path / "data.jsonl", rows))
    report = select(loaded, DataSection(min_chars=2, max_chars=400, eval_fraction=0)).report
    assert report.left_out == {
        "equal endings": 1,
        "an ending shorter than data.min_chars": 1,
        "an ending longer than data.max_chars": 1,
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
    assert plain.report.left_out == {"past data.limit": 40}
    drawn = [
        [row["chosen"] for row in select(loaded, DataSection(limit=10, eval_fraction=0, shuffle=True, seed=seed)).train]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != [row["chosen"] for row in plain.train]


def test_another_seed_holds_out_other_prompts(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "data.jsonl", pairs(100)))
    held = [_prompts(select(loaded, DataSection(eval_fraction=0.1, seed=seed)).held_out) for seed in (0, 1)]
    assert len(held[0]) == len(held[1]) == 10
    assert held[0] != held[1]


def test_training_pairs_whose_prompt_is_held_out_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", pairs(10))
    write(tmp_path / "test.jsonl", pairs(12)[8:])
    _, chosen = gather(DataSection(source=str(tmp_path), eval_split="test"))
    assert chosen.report.left_out == {"the prompt is in the held-out set": 2}
    assert (chosen.report.train, chosen.report.held_out) == (8, 4)
    assert not _prompts(chosen.train) & _prompts(chosen.held_out)
    _, chosen = gather(
        DataSection(source=str(tmp_path / "train.jsonl"), eval_source=str(tmp_path / "test.jsonl"), eval_limit=3)
    )
    assert chosen.report.held_out == 3
    assert chosen.report.held_out_left_out == {"past data.eval_limit": 1}


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
    with pytest.raises(InputError, match=r"of 3 \(an ending shorter than data.min_chars: 3\)"):
        select(loaded, DataSection(min_chars=1000))


def test_the_bundled_preferences_bring_their_own_held_out_split() -> None:
    spec = held_out_source(DataSection())
    assert spec is not None
    assert spec.split == "held_out"
    assert held_out_source(DataSection(eval_fraction=0)) is None
    assert held_out_source(DataSection(source="else.jsonl")) is None


def test_contradictions_are_those_that_counting_by_hand_finds(tmp_path: Path) -> None:
    import random

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
    loaded, chosen = gather(DataSection(source=str(path), min_chars=2, eval_fraction=0.1), kind="supervised")
    assert loaded.dataset.column_names == ["prompt", "completion", "id", "weight"]
    assert chosen.report.left_out == {"an ending shorter than data.min_chars": 1, "exact duplicates": 1}
    assert (chosen.report.train, chosen.report.held_out, chosen.report.contradicting) == (18, 2, 0)
    assert not _prompts(chosen.train) & _prompts(chosen.held_out)
