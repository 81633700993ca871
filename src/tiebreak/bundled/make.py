"""Make the parts of the tiny assistant from a seed: `python -m tiebreak.bundled.make OUT_DIR --seed 0`.

Knows which parts there are and where they go; training the model on the corpus is a separate step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tiebreak.bundled.corpus import write_corpus
from tiebreak.bundled.model import initial_model
from tiebreak.bundled.preferences import write_preferences
from tiebreak.bundled.tokenizer import write_tokenizer


def make(out: Path, seed: int) -> None:
    """Write `preferences/`, `corpus.jsonl` and `initial/` (tokenizer and random model) under `out`."""
    write_preferences(out / "preferences", seed)
    write_corpus(out / "corpus.jsonl", seed)
    write_tokenizer(out / "initial", seed)
    initial_model(out / "initial", seed)


def main() -> None:
    """Read the arguments and make everything."""
    parser = argparse.ArgumentParser(description="Make the bundled preferences, corpus, tokenizer and initial model.")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn (default: 0)")
    arguments = parser.parse_args()
    make(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
