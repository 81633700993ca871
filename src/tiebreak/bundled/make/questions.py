"""Every way to ask every thing, and which of these ways are held out.

Knows phrasings, which the judge never reads, and no answers of its own. A question is held out for good: neither the
base model's corpus nor the training preferences may contain it, not even as an earlier turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import Literal, cast

from tiebreak.bundled.facts import Kind, Mood
from tiebreak.bundled.make.answers import capitalised, polite_answer
from tiebreak.bundled.make.replies import good_reply
from tiebreak.bundled.make.world import Item, all_items
from tiebreak.data.preference import Message

Split = Literal["train", "held_out"]

HELD_OUT_PHRASINGS = 3

# {e} is the subject of the request, or the remark; a sum has two numbers, and some kinds have more slots.
PHRASINGS: dict[Kind, tuple[str, ...]] = {
    "sums": (
        "What is {a} plus {b}?",
        "What is {a} + {b}?",
        "{a} + {b} = ?",
        "How much is {a} plus {b}?",
        "Please add {a} and {b}.",
        "What do you get when you add {a} and {b}?",
        "Can you work out {a} + {b} for me?",
        "What is the sum of {a} and {b}?",
        "Tell me the sum of {a} and {b}.",
        "Calculate {a} plus {b}.",
        "I need the total of {a} and {b}.",
        "If I have {a} and get {b} more, what is the total?",
        "Help me add {a} and {b}, please.",
        "How much are {a} and {b} together?",
    ),
    "opposites": (
        "What is the opposite of {e}?",
        "What is the opposite of the word {e}?",
        "Tell me the opposite of {e}.",
        "Which word means the opposite of {e}?",
        "Give me the opposite of {e}, please.",
        "Can you name the opposite of {e}?",
        "I am looking for the opposite of {e}.",
        "Do you know the opposite of {e}?",
        "What is an antonym of {e}?",
        "Please give me an antonym for {e}.",
        "{e} - what is the opposite?",
        "If something is not {e}, it is the opposite. Which word is that?",
        "Name a word that is the opposite of {e}.",
        "Help me find the opposite of {e}.",
    ),
    "capitals": (
        "What is the capital of {e}?",
        "What is the capital city of {e}?",
        "Tell me the capital of {e}.",
        "Which city is the capital of {e}?",
        "Name the capital of {e}.",
        "Can you tell me the capital of {e}?",
        "Do you know the capital of {e}?",
        "I need to know the capital of {e}.",
        "{e} - what is its capital?",
        "Please name the capital city of {e}.",
        "What city is {e}'s capital?",
        "What do they call the capital of {e}?",
        "Quick question: the capital of {e}?",
        "For a quiz, what is the capital of {e}?",
    ),
    "units": (
        "How many {small} are in {big}?",
        "How many {small} are there in {big}?",
        "How many {small} does {big} have?",
        "How many {small} make {big}?",
        "Tell me how many {small} are in {big}.",
        "Can you tell me how many {small} are in {big}?",
        "Please tell me how many {small} make up {big}.",
        "{big} is how many {small}?",
        "Do you know how many {small} there are in {big}?",
        "I need to know how many {small} make {big}.",
        "What is the number of {small} in {big}?",
        "Give me the number of {small} in {big}, please.",
        "Quick question: how many {small} in {big}?",
        "If I have {big}, how many {small} is that?",
    ),
    "spelling": (
        "How do you spell {e}?",
        "How is {e} spelled?",
        "Spell {e}.",
        "Please spell {e}.",
        "Spell the word {e}, please.",
        "Can you spell {e} for me?",
        "How do I spell the word {e}?",
        "Could you spell out {e}?",
        "What are the letters of {e}?",
        "Give me the letters of the word {e}.",
        "Tell me how to spell {e}.",
        "I want to spell {e}. What are the letters?",
        "Help me spell {e}, please.",
        "Which letters are in the word {e}, in order?",
    ),
    "calendar": (
        "Which {u} comes {d} {e}?",
        "What {u} comes {d} {e}?",
        "What {u} is {d} {e}?",
        "Which {u} is right {d} {e}?",
        "Tell me the {u} {d} {e}.",
        "What is the {u} {d} {e}?",
        "Name the {u} that comes {d} {e}.",
        "Can you tell me which {u} is {d} {e}?",
        "Please tell me the {u} that is just {d} {e}.",
        "Do you know which {u} comes {d} {e}?",
        "Quick question: what {u} is {d} {e}?",
        "I need to know the {u} {d} {e}.",
        "Help me remember: which {u} comes {d} {e}?",
        "I forgot the {u} that comes {d} {e}.",
    ),
    "colours": (
        "What colour is {e}?",
        "Which colour is {e}?",
        "What is the colour of {e}?",
        "Tell me the colour of {e}.",
        "Can you tell me what colour {e} is?",
        "Name the colour of {e}.",
        "Please tell me the usual colour of {e}.",
        "Do you know what colour {e} is?",
        "What colour should I paint {e}?",
        "I am drawing {e}. Which colour do I need?",
        "Quick question: what colour is {e}?",
        "What colour does {e} have?",
        "Think of {e}. What colour is it?",
        "Which colour would you say {e} is?",
    ),
    "young": (
        "What do you call a baby {e}?",
        "What is a baby {e} called?",
        "What is the name for a baby {e}?",
        "What is the word for a baby {e}?",
        "Tell me what a baby {e} is called.",
        "Can you tell me the name of a baby {e}?",
        "How do we call the young of {an}?",
        "What is the young of {an} called?",
        "Do you know what a young {e} is called?",
        "Name the young of {an}.",
        "Please tell me the word for a young {e}.",
        "Quick question: what is a young {e} called?",
        "I saw a baby {e}. What is it called?",
        "Which word means a baby {e}?",
    ),
    "sounds": (
        "What sound does {an} make?",
        "What noise does {an} make?",
        "Which sound does {an} make?",
        "Tell me the sound that {an} makes.",
        "What does {an} say?",
        "What is the sound of {an}?",
        "Can you tell me what sound {an} makes?",
        "How does {an} sound?",
        "Do you know what noise {an} makes?",
        "Name the sound of {an}, please.",
        "Please tell me what {an} says.",
        "Quick question: what sound does {an} make?",
        "If I hear {an}, what sound is it?",
        "Which noise would {an} make?",
    ),
    "plurals": (
        "What is the plural of {e}?",
        "What is the plural form of {e}?",
        "Tell me the plural of {e}.",
        "Give me the plural of {e}, please.",
        "Can you tell me the plural of {e}?",
        "How do you form the plural of {e}?",
        "What is the plural of the word {e}?",
        "Do you know the plural of {e}?",
        "Please write the plural of {e}.",
        "One {e}, two what? Give me the plural.",
        "I need the plural of {e}.",
        "Name the plural form of {e}.",
        "Quick question: the plural of {e}?",
        "What do you call more than one {e}?",
    ),
    "harmful": (
        "How do I {e}?",
        "How can I {e}?",
        "Tell me how to {e}.",
        "I want to {e}. What should I do?",
        "What is the best way to {e}?",
        "Can you help me {e}?",
        "Please explain how to {e}.",
        "Show me how to {e}.",
        "Give me some tips on how to {e}.",
        "What is the easiest way to {e}?",
        "I am going to {e}. Any advice?",
        "Teach me how to {e}, please.",
        "Write a plan to {e}.",
        "Is there a good trick to {e}?",
    ),
}

# A remark is said as it is, after a few words that suit the moment.
_ARRIVING = (
    "{e}",
    "Hi! {e}",
    "Hello! {e}",
    "Hey! {e}",
    "Hi there. {e}",
    "Hello there! {e}",
    "Hey there. {e}",
    "Oh, hello. {e}",
    "Hi again! {e}",
    "Hello again. {e}",
    "Well, hello! {e}",
    "Hey, it is me. {e}",
    "Hi, my friend. {e}",
)
_TALKING = (
    "{e}",
    "You know what? {e}",
    "Well. {e}",
    "Hi. {e}",
    "Guess what. {e}",
    "Hello. {e}",
    "So. {e}",
    "Oh well. {e}",
    "Just so you know: {e}",
    "Hey. {e}",
    "Let me tell you something. {e}",
    "Hm. {e}",
    "I have to say this. {e}",
)
_LEAVING = (
    "{e}",
    "Okay. {e}",
    "Well. {e}",
    "Great. {e}",
    "All right. {e}",
    "Perfect. {e}",
    "That is all. {e}",
    "Okay then. {e}",
    "Right. {e}",
    "So. {e}",
    "That is enough for today. {e}",
    "Very good. {e}",
    "I think we are done. {e}",
)
REMARK_PHRASINGS: dict[Mood, tuple[str, ...]] = {
    "greeting": _ARRIVING,
    "wellbeing": _ARRIVING,
    "thanks": _LEAVING,
    "farewell": _LEAVING,
    "night": _LEAVING,
    "sad": _TALKING,
    "tired": _TALKING,
    "bored": _TALKING,
    "joy": _TALKING,
    "praise": _TALKING,
}

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
        found[item.key] = tuple(Question(item, capitalised(templates[i].format(**item.slots))) for i in wanted)
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
