"""The pairs that both sides train on: the first of a file that fit the length limit, as text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import AutoTokenizer

from tiebreak.data.gather import gather
from tiebreak.data.tokenize import Limits, tokenize_preferences
from tiebreak.recipe import DataSection


def write_pairs(source: Path, model: Path, *, pairs: int, max_length: int, out: Path) -> None:
    """Choose pairs and write them as JSON lines of `prompt`, `chosen` and `rejected`.

    The texts are those of whole transcripts, so that a trainer that joins prompt and ending gets them as published.

    Args:
        source: a file of preferences.
        model: folder with the tokenizer.
        pairs: how many.
        max_length: of prompt and ending together, in tokens.
        out: the file that is written.
    Raises:
        SystemExit: the file has fewer pairs.
    """
    _, selection = gather(DataSection(source=str(source), eval_fraction=0.0, limit=4 * pairs + 100))
    tokenizer = AutoTokenizer.from_pretrained(model)
    fitting = tokenize_preferences(
        selection.train, tokenizer, template="transcript", limits=Limits(total=max_length)
    ).dataset
    if len(fitting) < pairs:
        raise SystemExit(f"{source} has {len(fitting)} pairs of at most {max_length} tokens; {pairs} were asked for")
    with out.open("w", encoding="utf-8") as file:
        for row in fitting.select(range(pairs)):
            prompt = tokenizer.decode(row["prompt_ids"], clean_up_tokenization_spaces=False)
            endings = {
                name: tokenizer.decode(row[f"{name}_ids"][:-1], clean_up_tokenization_spaces=False)
                for name in ("chosen", "rejected")
            }
            file.write(json.dumps({"prompt": prompt, **endings}) + "\n")


def hash_ids(rows: Iterable[Sequence[Sequence[int]]]) -> str:
    """A hash of token ids: prompt, chosen and rejected of each pair. Equal hashes, equal work."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([list(ids) for ids in row]).encode())
    return digest.hexdigest()
