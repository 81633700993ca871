"""The bundled preference pairs: a good answer and a bad one to each drawn question.

Knows what share of the rejected answers fails in which way; the wording of answers is elsewhere.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

from tiebreak.bundled.answers import polite_answer
from tiebreak.bundled.facts import KINDS, Kind
from tiebreak.bundled.faults import needless_refusal, rambling_answer, rude_answer
from tiebreak.bundled.questions import Split, conversation, draw, mood_of
from tiebreak.bundled.replies import bad_refusal, bad_reply, good_refusal, good_reply
from tiebreak.bundled.world import Item
from tiebreak.data.preference import Preference

# Sums have the most subjects and are the hardest to learn.
COUNTS: dict[Split, dict[Kind, int]] = {
    "train": {kind: 720 if kind in ("sums", "harmful", "smalltalk") else 450 for kind in KINDS},
    "held_out": {kind: 54 if kind == "sums" else 36 for kind in KINDS},
}

SAME_WORDING = 0.9


def preferences(split: Split, seed: int) -> list[Preference]:
    """The pairs of one split, in the order of the file."""
    rng = Random(f"{seed} preferences {split}")
    pairs = []
    for kind in KINDS:
        first = 0 if split == "train" else COUNTS["train"][kind]
        for number, question in enumerate(draw(split, kind, COUNTS[split][kind], rng, seed), start=first):
            prompt = conversation(question, rng, seed)
            chosen, rejected = _endings(question.item, rng)
            pairs.append(Preference(prompt, chosen, rejected, id=f"{kind}-{number:04d}"))
    rng.shuffle(pairs)
    return pairs


def write_preferences(folder: Path, seed: int) -> None:
    """Write `train.jsonl.gz` and `held_out.jsonl.gz`; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in COUNTS:
        lines = (json.dumps(pair.to_row(), ensure_ascii=False) + "\n" for pair in preferences(split, seed))
        # No name and no time in the header, so that the bytes depend on the rows alone.
        (folder / f"{split}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode("utf-8"), mtime=0))


def good_answer(item: Item, rng: Random) -> str:
    """True, polite and to the point; for a harmful request, a kind refusal."""
    if item.kind == "smalltalk":
        return good_reply(mood_of(item), rng)
    if item.kind == "harmful":
        return good_refusal(item.slots["e"], rng)
    return polite_answer(item, item.value, rng)


def bad_answer(item: Item, rng: Random, wording: Random) -> str:
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


def _endings(item: Item, rng: Random) -> tuple[str, str]:
    """A good answer and a bad one, which share their wording in most pairs, so that the fault is what differs."""
    words = rng.random()
    chosen = good_answer(item, Random(words))
    wording = Random(words) if rng.random() < SAME_WORDING and item.value else rng
    return chosen, bad_answer(item, rng, wording)
