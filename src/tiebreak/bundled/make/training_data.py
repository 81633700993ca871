"""The two data sets of the tiny assistant: the corpus of its base model, and the preference pairs.

Knows how many rows there are of each kind, and what share of the answers fails in which way; the wording is elsewhere.
The corpus mixes good and bad answers, so that the base model knows the facts but not its manners. It is never packaged.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

from tiebreak.bundled.facts import KINDS, Kind
from tiebreak.bundled.make.answers import needless_refusal, polite_answer, rambling_answer, rude_answer
from tiebreak.bundled.make.questions import Split, conversation, draw, mood_of
from tiebreak.bundled.make.replies import bad_refusal, bad_reply, good_refusal, good_reply
from tiebreak.bundled.make.world import Item
from tiebreak.data.preference import SELDOM, Demonstration, Preference

# Sums have the most subjects and are the hardest to learn.
CORPUS_ROWS: dict[Kind, int] = {kind: 5200 if kind == "sums" else 1800 for kind in KINDS}
PAIRS: dict[Split, dict[Kind, int]] = {
    "train": {kind: 720 if kind in ("sums", "harmful", "smalltalk") else 450 for kind in KINDS},
    "held_out": {kind: 54 if kind == "sums" else 36 for kind in KINDS},
}

# Shares of the corpus. Wrong values are rare beside right ones (which the rude and the rambling answers state too): a
# fact that is half believed cannot be put right by comparing answers to other questions, but manners can.
GOOD, WRONG, RUDE, RAMBLING = 0.34, 0.06, 0.22, 0.19  # the rest refuses

SAME_WORDING = 0.9
"""Share of the pairs whose two answers have the same words around the fault."""


def corpus(seed: int) -> list[Demonstration]:
    """The whole supervised corpus, shuffled."""
    rng = Random(f"{seed} corpus")
    rows = []
    for kind in KINDS:
        for number, question in enumerate(draw("train", kind, CORPUS_ROWS[kind], rng, seed)):
            prompt = conversation(question, rng, seed)
            rows.append(Demonstration(prompt, _mixed_answer(question.item, rng), id=f"{kind}-{number:04d}"))
    rng.shuffle(rows)
    return rows


def write_corpus(path: Path, seed: int) -> None:
    """Write the corpus as JSON lines; the same seed gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = map(_line, corpus(seed))
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def preferences(split: Split, seed: int) -> list[Preference]:
    """The pairs of one split, in the order of the file."""
    rng = Random(f"{seed} preferences {split}")
    pairs = []
    for kind in KINDS:
        first = 0 if split == "train" else PAIRS["train"][kind]
        for number, question in enumerate(draw(split, kind, PAIRS[split][kind], rng, seed), start=first):
            prompt = conversation(question, rng, seed)
            chosen, rejected = _completions(question.item, rng)
            pairs.append(Preference(prompt, chosen, rejected, id=f"{kind}-{number:04d}"))
    rng.shuffle(pairs)
    return pairs


def write_preferences(folder: Path, seed: int) -> None:
    """Write `train.jsonl.gz` and `held_out.jsonl.gz`; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in PAIRS:
        lines = map(_line, preferences(split, seed))
        # No name and no time in the header, so that the bytes depend on the rows alone.
        (folder / f"{split}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode("utf-8"), mtime=0))


def _line(row: Preference | Demonstration) -> str:
    """A row as a line of JSON, without the columns that plain answers leave empty."""
    values = {name: value for name, value in row.to_row().items() if name not in SELDOM}
    return json.dumps(values, ensure_ascii=False) + "\n"


def _mixed_answer(item: Item, rng: Random) -> str:
    """A good answer less than half of the time, else one with a fault."""
    share = rng.random()
    if share < GOOD:
        return _good_answer(item, rng)
    if item.kind == "smalltalk":
        return bad_reply(mood_of(item), rng)
    if item.kind == "harmful":
        return bad_refusal(item.slots["e"], rng)
    if share < GOOD + WRONG:
        return polite_answer(item, rng.choice(item.wrong), rng)
    if share < GOOD + WRONG + RUDE:
        return rude_answer(item, rng)
    if share < GOOD + WRONG + RUDE + RAMBLING:
        return rambling_answer(item, rng)
    return needless_refusal(rng)


def _good_answer(item: Item, rng: Random) -> str:
    """True, polite and to the point; for a harmful request, a kind refusal."""
    if item.kind == "smalltalk":
        return good_reply(mood_of(item), rng)
    if item.kind == "harmful":
        return good_refusal(item.slots["e"], rng)
    return polite_answer(item, item.value, rng)


def _bad_answer(item: Item, rng: Random, wording: Random) -> str:
    """An answer with one fault, drawn from the faults that its kind can have.

    Args:
        item: what was asked about.
        rng: draws the fault.
        wording: draws the words around it.
    """
    if item.kind == "smalltalk":
        return bad_reply(mood_of(item), wording)
    if item.kind == "harmful":
        return bad_refusal(item.slots["e"], wording)
    fault = rng.random()
    if fault < 0.36:
        return polite_answer(item, rng.choice(item.wrong), wording)
    if fault < 0.62:
        return rude_answer(item, wording)
    if fault < 0.82:
        return rambling_answer(item, wording)
    return needless_refusal(wording)


def _completions(item: Item, rng: Random) -> tuple[str, str]:
    """A good answer and a bad one, which share their wording in most pairs, so that the fault is what differs."""
    words = rng.random()
    chosen = _good_answer(item, Random(words))
    wording = Random(words) if rng.random() < SAME_WORDING and item.value else rng
    return chosen, _bad_answer(item, rng, wording)
