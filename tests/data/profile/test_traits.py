"""What is counted of pairs: lengths, the best single feature, scripts, scores, private text, near duplicates."""

from __future__ import annotations

import random
from typing import Any

import pytest
from datasets import Dataset

from tiebreak.data.preference import Message, Preference
from tiebreak.data.profile.traits import best_separator, features, near_duplicates, traits

WORDS = [f"w{chr(97 + number)}" for number in range(15)]


def pair(prompt: str = "Why?", chosen: str = "Because.", rejected: str = "No.", **more: Any) -> Preference:
    return Preference((Message("user", prompt),), chosen, rejected, **more)


def rows(*pairs: Preference) -> Dataset:
    return Dataset.from_list([each.to_row() for each in pairs])


def test_what_is_counted() -> None:
    found = traits(
        rows(
            pair(chosen="A longer one", rejected="Short", chosen_score=1.0, rejected_score=2.0, source="a"),
            pair(chosen="Same", rejected="Same", chosen_score=2.0, rejected_score=1.0, source="a"),
            pair(chosen="Write to me@example.org", rejected="x" * 40, chosen_score=1.0, rejected_score=1.0, source="b"),
            pair(chosen="Это ответ на вопрос", rejected="This is the answer", source="a"),
            pair(chosen="token hf_" + "a1B2" * 9, rejected="No."),
        )
    )
    assert (found.pairs, found.looked_at) == (5, 5)
    assert (found.chosen_longer, found.rejected_longer) == (3, 1)
    assert (found.scored, found.scored_lower) == (2, 1)
    assert (found.sources, found.main_source, found.of_main_source) == (2, "a", 3)
    assert (found.emails, found.secrets, found.other_script) == (1, 1, 1)


def test_only_so_many_are_read_evenly_over_all() -> None:
    many = rows(*(pair(chosen="a" * (1 + (number >= 50)), rejected="a") for number in range(100)))
    found = traits(many, most=10)
    assert (found.pairs, found.looked_at, found.chosen_longer) == (100, 10, 5)


def test_the_best_feature_is_counted_on_pairs_that_it_was_not_chosen_on() -> None:
    pairs = [(f"{WORDS[i % 15]} thanks", WORDS[(i + 1) % 15]) for i in range(40)]
    found = best_separator(pairs)
    assert found is not None
    assert (found.what, found.side, found.pairs, found.there, found.elsewhere) == (
        'the word "thanks"',
        "chosen",
        20,
        20,
        0,
    )


def test_what_looks_good_by_chance_does_not_on_the_other_pairs() -> None:
    draw = random.Random(0)
    vocabulary = [f"{a}{b}" for a in "bcdfghjklm" for b in ("an", "en", "in", "on", "un")]
    pairs = [(" ".join(draw.sample(vocabulary, 8)), " ".join(draw.sample(vocabulary, 8))) for _ in range(400)]
    found = best_separator(pairs)
    assert found is not None
    undecided = found.pairs - found.there - found.elsewhere
    assert (found.there + undecided / 2) / found.pairs == pytest.approx(0.5, abs=0.06)


def test_of_equal_sides_there_is_none() -> None:
    assert best_separator([("a b", "a b")] * 4) is None
    assert best_separator([]) is None


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("- one\n- two", "Markdown: a list"),
        ("1. one", "Markdown: a list"),
        ("# Title", "Markdown: a heading"),
        ("so **bold** it is", "Markdown: bold type"),
        ("```\ncode\n```", "Markdown: a block of code"),
        ("see https://example.org", "Markdown: a link"),
        ("I am sorry, but", 'the beginning "i am sorry …"'),
        ("Don’t", 'the word "don’t"'),
    ],
)
def test_features(text: str, feature: str) -> None:
    assert feature in features(text)
    assert feature not in features("An ordinary sentence - with a dash.")


def test_prompts_that_differ_by_a_word_are_near_and_others_not() -> None:
    asked = "Please explain to me in a few words how a steam engine turns heat into motion and work"
    near, many = near_duplicates(
        rows(pair(prompt=asked), pair(prompt="Short one?")),
        rows(pair(prompt=f"{asked} today"), pair(prompt=" ".join(reversed(asked.split()))), pair(prompt="Short one!")),
    )
    assert (near, many) == (1, 3)
