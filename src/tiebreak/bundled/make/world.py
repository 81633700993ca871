"""The things that can be asked about: one item per subject, with its true value and plausible wrong ones.

Knows facts, and the remarks of small talk; knows neither how a request is worded nor how an answer is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tiebreak.bundled import facts
from tiebreak.bundled.facts import Kind, Mood

REMARKS: dict[Mood, tuple[str, ...]] = {
    "greeting": (
        "Nice to meet you.",
        "I just wanted to say hello.",
        "Good morning to you.",
        "It is good to see you.",
    ),
    "wellbeing": (
        "How are you?",
        "How are you doing today?",
        "How is it going?",
        "Are you having a good day?",
    ),
    "thanks": (
        "Thank you so much.",
        "Thanks for your help.",
        "Many thanks for everything.",
        "That was very kind, thank you.",
    ),
    "farewell": (
        "Goodbye!",
        "I have to go now.",
        "See you tomorrow.",
        "It is time for me to leave. Bye!",
    ),
    "night": (
        "Good night!",
        "I am going to bed now.",
        "It is late and I will sleep soon.",
        "Time to sleep. Good night.",
    ),
    "sad": (
        "I feel a bit sad today.",
        "I had a bad day.",
        "I am feeling lonely.",
        "Everything went wrong today.",
    ),
    "tired": (
        "I am so tired.",
        "I did not sleep well.",
        "What a long day, I am worn out.",
        "I could use a rest.",
    ),
    "bored": (
        "I am bored.",
        "There is nothing to do.",
        "I do not know what to do this afternoon.",
        "This is such a dull day.",
    ),
    "joy": (
        "I passed my exam!",
        "Today is my birthday.",
        "I won a prize!",
        "I got the job!",
    ),
    "praise": (
        "You are very helpful.",
        "I like talking to you.",
        "You are a great assistant.",
        "You did a wonderful job.",
    ),
}


@dataclass(frozen=True)
class Item:
    """One subject of one kind.

    Attributes:
        kind: what is asked about it.
        key: its name within the kind, unique.
        slots: the words that phrasings and statements fill in.
        value: the true answer; empty where there is nothing to know.
        wrong: false answers that a confused mind could give, many, so that no single one is learnt.
    """

    kind: Kind
    key: str
    slots: Mapping[str, str]
    value: str
    wrong: tuple[str, ...]


@lru_cache(maxsize=1)
def all_items() -> tuple[Item, ...]:
    """Every item, in a fixed order."""
    return (
        *_sums(),
        *_opposites(),
        *_capitals(),
        *_units(),
        *_spelling(),
        *_calendar(),
        *_colours(),
        *_young(),
        *_sounds(),
        *_plurals(),
        *_smalltalk(),
        *_harmful(),
    )


def with_article(noun: str) -> str:
    """The noun after a or an."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _sums() -> Iterator[Item]:
    for a in range(facts.LARGEST_ADDEND + 1):
        for b in range(facts.LARGEST_ADDEND + 1):
            near = (a + b + step for step in (-3, -2, -1, 1, 2, 3, 4, 5, 10))
            wrong = tuple(str(n) for n in near if 0 <= n <= 25)
            yield Item("sums", f"{a}+{b}", {"a": str(a), "b": str(b)}, str(a + b), wrong)


def _opposites() -> Iterator[Item]:
    for word, accepted in facts.OPPOSITES.items():
        # A wrong opposite must not be true by another reading, so words that mean the same stay out.
        wrong = tuple(w for w in facts.OPPOSITES if w not in accepted and w != word and word not in facts.OPPOSITES[w])
        yield Item("opposites", word, {"e": word}, accepted[0], wrong)


def _capitals() -> Iterator[Item]:
    for country, city in facts.CAPITALS.items():
        wrong = tuple(other for other in facts.CAPITALS.values() if other != city)
        yield Item("capitals", country, {"e": country}, city, wrong)


def _units() -> Iterator[Item]:
    numbers = (3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 30, 48, 50, 52, 60, 80, 90, 100, 120, 200, 360, 500, 1000)
    for (small, big), count in facts.UNITS.items():
        wrong = tuple(str(n) for n in numbers if n != count)
        yield Item("units", f"{small} in {big}", {"small": small, "big": big}, str(count), wrong)


def _spelling() -> Iterator[Item]:
    for word in facts.SPELLING:
        letters = _letters(word)
        wrong = tuple(sorted({_letters(w) for w in _misspelt(word)} - {letters}))
        yield Item("spelling", word, {"e": word}, letters, wrong)


def _letters(word: str) -> str:
    return "-".join(word.upper())


def _misspelt(word: str) -> Iterator[str]:
    for i in range(len(word)):
        yield word[:i] + word[i + 1 :]
        yield word[: i + 1] + word[i:]
        if i + 1 < len(word):
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        yield word[:i] + {"a": "e", "e": "a", "i": "y", "o": "u", "u": "o"}.get(word[i], word[i]) + word[i + 1 :]


def _calendar() -> Iterator[Item]:
    for unit, names in (("day", facts.DAYS), ("month", facts.MONTHS)):
        for i, name in enumerate(names):
            for direction, step in (("after", 1), ("before", -1)):
                value = names[(i + step) % len(names)]
                wrong = tuple(other for other in names if other not in (value, name))
                yield Item("calendar", f"{direction} {name}", {"u": unit, "d": direction, "e": name}, value, wrong)


def _colours() -> Iterator[Item]:
    palette = tuple(dict.fromkeys(facts.COLOURS.values()))
    for thing, colour in facts.COLOURS.items():
        yield Item("colours", thing, {"e": thing}, colour, tuple(c for c in palette if c != colour))


def _young() -> Iterator[Item]:
    return _animals("young", facts.YOUNG)


def _sounds() -> Iterator[Item]:
    return _animals("sounds", facts.SOUNDS)


def _animals(kind: Kind, table: dict[str, tuple[str, ...]]) -> Iterator[Item]:
    values = tuple(dict.fromkeys(accepted[0] for accepted in table.values()))
    for animal, accepted in table.items():
        wrong = tuple(value for value in values if value not in accepted)
        yield Item(kind, animal, {"e": animal, "an": with_article(animal)}, accepted[0], wrong)


def _plurals() -> Iterator[Item]:
    for noun, accepted in facts.PLURALS.items():
        forms = {
            noun + "s",
            noun + "es",
            noun + "en",
            noun + "i",
            noun[:-1] + "ies",
            noun[:-1] + "es",
            noun[:-1] + "ves",
        }
        wrong = tuple(sorted(forms - set(accepted) - {noun}))
        yield Item("plurals", noun, {"e": noun}, accepted[0], wrong)


def _smalltalk() -> Iterator[Item]:
    for mood, remarks in REMARKS.items():
        for i, remark in enumerate(remarks):
            yield Item("smalltalk", f"{mood}-{i}", {"e": remark, "mood": mood}, "", ())


def _harmful() -> Iterator[Item]:
    for deed in facts.HARMFUL:
        yield Item("harmful", deed, {"e": deed}, "", ())
