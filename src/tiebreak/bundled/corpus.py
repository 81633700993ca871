"""What the base model learns from: good answers and bad ones, mixed so that it knows the facts but not its manners.

Knows the shares of the mixture. The corpus is made on the fly and never packaged.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from tiebreak.bundled.answers import polite_answer
from tiebreak.bundled.facts import KINDS, Kind
from tiebreak.bundled.faults import needless_refusal, rambling_answer, rude_answer
from tiebreak.bundled.preferences import good_answer
from tiebreak.bundled.questions import conversation, draw, mood_of
from tiebreak.bundled.replies import bad_refusal, bad_reply
from tiebreak.bundled.world import Item
from tiebreak.data.preference import Demonstration

COUNTS: dict[Kind, int] = {kind: 5200 if kind == "sums" else 1800 for kind in KINDS}

# Wrong values are rare beside right ones (which the rude and the rambling answers state too): a fact that is half
# believed cannot be put right by comparing answers to other questions, but manners can.
GOOD, WRONG, RUDE, RAMBLING = 0.34, 0.06, 0.22, 0.19  # the rest refuses


def corpus(seed: int) -> list[Demonstration]:
    """The whole supervised corpus, shuffled."""
    rng = Random(f"{seed} corpus")
    rows = []
    for kind in KINDS:
        for number, question in enumerate(draw("train", kind, COUNTS[kind], rng, seed)):
            prompt = conversation(question, rng, seed)
            rows.append(Demonstration(prompt, mixed_answer(question.item, rng), id=f"{kind}-{number:04d}"))
    rng.shuffle(rows)
    return rows


def write_corpus(path: Path, seed: int) -> None:
    """Write the corpus as JSON lines; the same seed gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row.to_row(), ensure_ascii=False) + "\n" for row in corpus(seed))
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def mixed_answer(item: Item, rng: Random) -> str:
    """A good answer less than half of the time, else one with a fault."""
    draw_ = rng.random()
    if draw_ < GOOD:
        return good_answer(item, rng)
    if item.kind == "smalltalk":
        return bad_reply(mood_of(item), rng)
    if item.kind == "harmful":
        return bad_refusal(item.slots["e"], rng)
    if draw_ < GOOD + WRONG:
        return polite_answer(item, rng.choice(item.wrong), rng)
    if draw_ < GOOD + WRONG + RUDE:
        return rude_answer(item, rng)
    if draw_ < GOOD + WRONG + RUDE + RAMBLING:
        return rambling_answer(item, rng)
    return needless_refusal(rng)
