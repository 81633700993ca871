"""What could teach a model something else than which answer is better: lengths, single words, scripts, scores, leaks.

Texts of at most so many pairs are read, evenly over the rows, so that the cost has a bound; counts are of those. What a
trait means is not known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

MOST = 10_000
"""Pairs whose texts are read."""
_WORDS = 300  # of a completion that are looked at
_OPENING = 3
_SHINGLE = 5  # words
_ALIKE = 0.8  # share of common shingles from which two prompts are nearly the same
_SHORT = 8  # words below which a prompt is too short to be nearly another

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_MARKDOWN: Mapping[str, re.Pattern[str]] = {
    "a list": re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+\S", re.M),
    "a heading": re.compile(r"^#{1,6}\s+\S", re.M),
    "bold type": re.compile(r"\*\*\S[^*\n]*\*\*"),
    "a block of code": re.compile(r"```"),
    "a link": re.compile(r"https?://|\]\("),
}
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[A-Za-z]{2,24}\b")
_SECRET = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|xox[bp]-[\w-]{20,})"
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)

Side = Literal["chosen", "rejected"]


@dataclass(frozen=True)
class Separator:
    """The one feature that tells the sides apart best, found on every second pair and counted on the others.

    Attributes:
        what: in words, such as `the word "sorry"`.
        side: on which it mostly stands.
        pairs: that it was counted on.
        there, elsewhere: of those, with the feature on that side alone, and on the other side alone.
    """

    what: str
    side: Side
    pairs: int
    there: int
    elsewhere: int


@dataclass(frozen=True)
class Traits:
    """What was counted of pairs.

    Attributes:
        pairs, looked_at: how many there are, and of how many the texts were read.
        chosen_longer, rejected_longer: by characters.
        separator: None where no feature stands on one side alone.
        other_script: pairs whose sides are written in different scripts, such as Latin and Han.
        scored, scored_lower: pairs whose completions have different scores, and of those whose chosen has the lower.
        sources: how many there are; 0 where rows have none.
        main_source, of_main_source: the commonest one, and its pairs.
        emails, secrets: pairs with an e-mail address, and with what looks like a key or token.
        held_out, near_held_out: held-out prompts that were looked at, and those that a training prompt is nearly the
            same as.
    """

    pairs: int
    looked_at: int
    chosen_longer: int
    rejected_longer: int
    separator: Separator | None
    other_script: int
    scored: int
    scored_lower: int
    sources: int
    main_source: str | None
    of_main_source: int
    emails: int
    secrets: int
    held_out: int = 0
    near_held_out: int = 0


def traits(pairs: Dataset, held_out: Dataset | None = None, *, most: int = MOST) -> Traits:
    """Read pairs and count.

    Args:
        pairs: canonical rows of preferences, those to train on.
        held_out: the held-out ones, of the same form.
        most: how many of each side are read.
    """
    rows = list(_rows(pairs, most))
    longer = Counter(_longer(row) for row in rows)
    scores = [(row["chosen_score"], row["rejected_score"]) for row in rows]
    differ = [(a, b) for a, b in scores if a is not None and b is not None and a != b]
    origins = Counter(row["source"] for row in rows if row.get("source"))
    main, of_main = origins.most_common(1)[0] if origins else (None, 0)
    texts = [(_text(row["prompt"]), row["chosen"], row["rejected"]) for row in rows]
    near, many = (0, 0) if held_out is None else near_duplicates(pairs, held_out, most=most)
    return Traits(
        pairs=len(pairs),
        looked_at=len(rows),
        chosen_longer=longer["chosen"],
        rejected_longer=longer["rejected"],
        separator=best_separator([(row["chosen"], row["rejected"]) for row in rows]),
        other_script=sum(_other_script(row["chosen"], row["rejected"]) for row in rows),
        scored=len(differ),
        scored_lower=sum(a < b for a, b in differ),
        sources=len(origins),
        main_source=main,
        of_main_source=of_main,
        emails=sum(any(map(_EMAIL.search, parts)) for parts in texts),
        secrets=sum(any(map(_SECRET.search, parts)) for parts in texts),
        held_out=many,
        near_held_out=near,
    )


def best_separator(pairs: list[tuple[str, str]]) -> Separator | None:
    """The feature that tells chosen from rejected best: one word, Markdown of one kind, or how an answer begins.

    It is chosen on the pairs with even numbers and counted on those with odd ones: the best of thousands of features
    looks good by chance on the pairs that it was chosen on.

    Args:
        pairs: the texts of chosen and rejected completions.
    """
    balance: Counter[str] = Counter()
    for chosen, rejected in pairs[::2]:
        ours, theirs = features(chosen), features(rejected)
        balance.update(ours - theirs)
        balance.subtract(theirs - ours)
    if not balance:
        return None
    what = max(balance, key=lambda name: (abs(balance[name]), name))
    side: Side = "chosen" if balance[what] > 0 else "rejected"
    there = elsewhere = 0
    for chosen, rejected in pairs[1::2]:
        first, second = what in features(chosen), what in features(rejected)
        if first != second:
            there += first == (side == "chosen")
            elsewhere += first != (side == "chosen")
    return Separator(what, side, len(pairs[1::2]), there, elsewhere)


def features(text: str) -> set[str]:
    """What a completion has of simple features, in words."""
    words = [word.lower() for word in _WORD.findall(text[: 12 * _WORDS])[:_WORDS]]
    found = {f'the word "{word}"' for word in words}
    found |= {f"Markdown: {kind}" for kind, pattern in _MARKDOWN.items() if pattern.search(text)}
    if len(words) >= _OPENING:
        found.add(f'the beginning "{" ".join(words[:_OPENING])} …"')
    return found


def near_duplicates(pairs: Dataset, held_out: Dataset, *, most: int = MOST) -> tuple[int, int]:
    """Held-out prompts to which a training prompt is nearly the same, and how many were looked at.

    Two prompts are nearly the same where four of five of their runs of five words are common, of the longer one's.

    Args:
        pairs, held_out: canonical rows.
        most: how many of each are read.
    """
    known = [_shingles(_text(row["prompt"])) for row in _rows(held_out, most)]
    holders: dict[int, list[int]] = {}
    for number, runs in enumerate(known):
        for run in runs:
            holders.setdefault(run, []).append(number)
    near: set[int] = set()
    for row in _rows(pairs, most):
        mine = _shingles(_text(row["prompt"]))
        if not mine:
            continue
        common: Counter[int] = Counter()
        for run in mine:
            held_by = holders.get(run, ())
            if len(held_by) <= 100:  # what every prompt has, such as a template, tells nothing
                common.update(held_by)
        near |= {n for n, count in common.items() if count >= _ALIKE * max(len(mine), len(known[n]))}
    return len(near), len(known)


def _rows(dataset: Dataset, most: int) -> Iterator[Mapping[str, Any]]:
    """At most so many rows, evenly over all of them."""
    count = len(dataset)
    chosen = dataset if count <= most else dataset.select(np.linspace(0, count - 1, most).astype(int))
    yield from chosen


def _text(turns: list[Mapping[str, Any]]) -> str:
    return "\n".join(turn["content"] for turn in turns)


def _longer(row: Mapping[str, Any]) -> Side | None:
    lead = len(row["chosen"]) - len(row["rejected"])
    return None if not lead else "chosen" if lead > 0 else "rejected"


def _shingles(text: str) -> set[int]:
    words = [word.lower() for word in _WORD.findall(text)]
    if len(words) < _SHORT:
        return set()
    return {hash(tuple(words[i : i + _SHINGLE])) for i in range(len(words) - _SHINGLE + 1)}


def _other_script(one: str, other: str) -> bool:
    first, second = _script(one), _script(other)
    return first is not None and second is not None and first != second


def _script(text: str) -> str | None:
    """The script of most letters at the beginning of a text, as Unicode names it; None of a text with few letters."""
    letters = [letter for letter in text[:400] if letter.isalpha()]
    if len(letters) < 10:
        return None
    if all(letter.isascii() for letter in letters):
        return "LATIN"
    return Counter(unicodedata.name(letter, "?").split(" ", 1)[0] for letter in letters).most_common(1)[0][0]
