"""Every way to ask every thing, and which of these ways are held out.

Knows items and phrasings, no answers. A question is held out for good: neither the base model's corpus nor the
training preferences may contain it, not even as an earlier turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import Literal, cast

from tiebreak.bundled.answers import capitalised, polite_answer
from tiebreak.bundled.facts import Kind
from tiebreak.bundled.phrasings import PHRASINGS, REMARK_PHRASINGS
from tiebreak.bundled.remarks import Mood
from tiebreak.bundled.replies import good_reply
from tiebreak.bundled.world import Item, all_items
from tiebreak.data.preference import Message

Split = Literal["train", "held_out"]

HELD_OUT_PHRASINGS = 3

SYSTEM_TEXTS: tuple[str, ...] = (
    "You are a helpful assistant.",
    "You are a helpful and polite assistant.",
    "You answer questions kindly and correctly.",
    "You are a friendly assistant for everyday questions.",
)


@dataclass(frozen=True)
class Question:
    """One item in one phrasing."""

    item: Item
    phrasing: int
    text: str


@lru_cache(maxsize=64)
def questions(split: Split, kind: Kind, seed: int) -> Mapping[str, tuple[Question, ...]]:
    """The questions of one kind in one split, by item key.

    Every item is in both splits, with different phrasings.
    """
    found: dict[str, tuple[Question, ...]] = {}
    for item in all_items():
        if item.kind != kind:
            continue
        templates = _templates(item)
        held_out = set(Random(f"{seed} held out {kind} {item.key}").sample(range(len(templates)), HELD_OUT_PHRASINGS))
        wanted = [i for i in range(len(templates)) if (i in held_out) == (split == "held_out")]
        found[item.key] = tuple(Question(item, i, capitalised(templates[i].format(**item.slots))) for i in wanted)
    return MappingProxyType(found)


def draw(split: Split, kind: Kind, count: int, rng: Random, seed: int) -> Iterator[Question]:
    """`count` questions: items in turn, and no question again before all of its item's have come."""
    by_item = questions(split, kind, seed)
    queues: dict[str, list[Question]] = {key: [] for key in by_item}
    order: list[str] = []
    for _ in range(count):
        if not order:
            order = sorted(by_item)
            rng.shuffle(order)
        key = order.pop()
        if not queues[key]:
            queues[key] = rng.sample(by_item[key], len(by_item[key]))
        yield queues[key].pop()


def conversation(question: Question, rng: Random, seed: int) -> tuple[Message, ...]:
    """The question as a prompt: mostly alone, now and then after a system message or an earlier turn."""
    turns: list[Message] = []
    if rng.random() < 0.10:
        turns.append(Message("system", rng.choice(SYSTEM_TEXTS)))
    if rng.random() < 0.06:
        turns.extend(_earlier_turn(rng, seed))
    return (*turns, Message("user", question.text))


def _earlier_turn(rng: Random, seed: int) -> tuple[Message, Message]:
    kind: Kind = rng.choice(("smalltalk", "capitals", "opposites", "colours", "calendar"))
    by_item = questions("train", kind, seed)
    # Nobody says goodbye and then asks: a conversation opens with a greeting, or with a question.
    openers = [key for key in sorted(by_item) if kind != "smalltalk" or key.startswith(("greeting", "wellbeing"))]
    earlier = rng.choice(by_item[rng.choice(openers)])
    if kind == "smalltalk":
        answer = good_reply(mood_of(earlier.item), rng)
    else:
        answer = polite_answer(earlier.item, earlier.item.value, rng)
    return Message("user", earlier.text), Message("assistant", answer)


def mood_of(item: Item) -> Mood:
    """What a small-talk item is about."""
    return cast(Mood, item.slots["mood"])


def _templates(item: Item) -> tuple[str, ...]:
    return REMARK_PHRASINGS[mood_of(item)] if item.kind == "smalltalk" else PHRASINGS[item.kind]
