"""The pairs that all sides train on, as text: the first of a file that fit, or made to given lengths."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from tiebreak.data.preparing.gather import gather
from tiebreak.data.preparing.tokenize import Limits, tokenize_preferences
from tiebreak.recipe import DataSection


@dataclass(frozen=True)
class Lengths:
    """Lengths of made pairs: drawn from log-normal distributions with these means, in tokens.

    Attributes:
        prompt, completion: the means.
        spread: standard deviation of the logarithm.
    """

    prompt: float
    completion: float
    spread: float = 0.7


# None is the file itself. `long`: the means of UltraFeedback (Cui et al., 2023, table 1). `short`: instructions with
# answers of a sentence or two, as in the Alpaca data.
KINDS: Mapping[str, Lengths | None] = MappingProxyType(
    {"hh": None, "long": Lengths(185.1, 305.3), "short": Lengths(20.0, 65.0)}
)


def write_pairs(source: Path, model: Path, *, kind: str = "hh", pairs: int, max_length: int, out: Path) -> None:
    """Choose or make pairs and write them as JSON lines of `prompt`, `chosen` and `rejected`.

    The texts are those of whole transcripts, so that a trainer that joins prompt and completion gets them as published.

    Args:
        source: a file of preferences; made pairs take their words from it.
        model: folder with the tokenizer.
        kind: a name of `KINDS`.
        pairs: how many.
        max_length: of prompt and completion together, in tokens.
        out: the file that is written.
    Raises:
        SystemExit: the file has fewer pairs.
    """
    _, selection = gather(DataSection(source=str(source), eval_fraction=0.0, limit=4 * pairs + 100))
    tokenizer = AutoTokenizer.from_pretrained(model)
    lengths = KINDS[kind]
    if lengths is None:
        found = _first(selection.train, tokenizer, pairs, max_length)
    else:
        words = " ".join(selection.train["chosen"]).split()
        found = list(_made(words, tokenizer, lengths, pairs, max_length))
    if len(found) < pairs:
        raise SystemExit(f"{source} has {len(found)} pairs of at most {max_length} tokens; {pairs} were asked for")
    out.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")


def _first(rows: Any, tokenizer: Any, pairs: int, max_length: int) -> list[dict[str, str]]:
    """The first pairs that fit, whole."""
    fitting = tokenize_preferences(rows, tokenizer, template="transcript", limits=Limits(total=max_length)).dataset
    return [
        {
            "prompt": tokenizer.decode(row["prompt_ids"], clean_up_tokenization_spaces=False),
            "chosen": tokenizer.decode(row["chosen_ids"][:-1], clean_up_tokenization_spaces=False),
            "rejected": tokenizer.decode(row["rejected_ids"][:-1], clean_up_tokenization_spaces=False),
        }
        for row in fitting.select(range(min(pairs, len(fitting))))
    ]


def _made(
    words: Sequence[str], tokenizer: Any, lengths: Lengths, pairs: int, max_length: int
) -> Iterator[dict[str, str]]:
    """Pairs of drawn words, as long as their distribution says; those over the limit are drawn again."""
    random = np.random.default_rng(0)
    tokens = {word: len(tokenizer.encode(f" {word}", add_special_tokens=False)) for word in set(words)}

    def text(wanted: int) -> str:
        drawn: list[str] = []
        count = 0
        while count < wanted:
            drawn.append(str(random.choice(words)))
            count += tokens[drawn[-1]]
        return " ".join(drawn)

    def length(mean: float) -> int:
        drawn = random.lognormal(math.log(mean) - lengths.spread**2 / 2, lengths.spread)
        return max(2, round(float(drawn)))

    made = 0
    while made < pairs:
        prompt, chosen, rejected = length(lengths.prompt), length(lengths.completion), length(lengths.completion)
        if prompt + max(chosen, rejected) > max_length - 16:  # the names of the two who speak, and the end token
            continue
        made += 1
        yield {
            "prompt": f"\n\nHuman: {text(prompt)}\n\nAssistant:",
            "chosen": f" {text(chosen)}",
            "rejected": f" {text(rejected)}",
        }


def hash_ids(rows: Iterable[Sequence[Sequence[int]]]) -> str:
    """A hash of token ids: prompt, chosen and rejected of each pair. Equal hashes, equal work."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([list(ids) for ids in row]).encode())
    return digest.hexdigest()
